#include <ATen/Version.h>
#include <torch/torch.h>

#include <lucivox/kernels/cpu/weight_gradient.h>
#include <lucivox/nn/convolution.h>

namespace lucivox {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& dy, int64_t kernel) {
  const cpu::ConvolutionShape shape{x.size(0), x.size(2), x.size(3), x.size(1), dy.size(1), kernel};
  at::Tensor dw = at::empty({kernel, kernel, shape.in, shape.out}, at::kFloat);
  cpu::weight_gradient(shape, x.const_data_ptr<float>(), dy.const_data_ptr<float>(),
                       dw.mutable_data_ptr<float>());
  return dw.permute({3, 2, 0, 1});
}

class CpuConvolution : public torch::autograd::Function<CpuConvolution> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) {
    ctx->save_for_backward({x, weight});
    return at::conv2d(x, weight, bias, 1, weight.size(2) / 2);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const at::Tensor dy = channels_last(gradients[0]);
    const int64_t kernel = weight.size(2);
    at::Tensor dx;
    if (ctx->needs_input_grad(0)) {
      const std::array<int64_t, 2> one{1, 1}, padding{kernel / 2, kernel / 2}, none{0, 0};
      dx = std::get<0>(at::convolution_backward(dy, x, weight, {}, one, padding, one, false, none, 1,
                                                {true, false, false}));
    }
    return {dx, weight_gradient(channels_last(x), dy, kernel), dy.sum({0, 2, 3})};
  }
};

// With AVX-512 oneDNN reaches the machine's peak itself.
bool on_our_kernel(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && at::get_cpu_capability() != "AVX512";
}

}  // namespace

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (on_our_kernel(x)) return CpuConvolution::apply(x, weight, bias);
  return at::conv2d(x, weight, bias, 1, weight.size(2) / 2);
}

}  // namespace lucivox
