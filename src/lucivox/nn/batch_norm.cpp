#include <algorithm>

#include <torch/torch.h>

#include <lucivox/kernels/cpu/batch_norm.h>
#include <lucivox/nn/batch_norm.h>

namespace lucivox {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

cpu::Activations shape_of(const at::Tensor& x) {
  return {x.size(0) * x.size(2) * x.size(3), x.size(1)};
}

// With r = 1 / sqrt(variance + eps): y = (x - mean) r weight + bias.
class CpuBatchNorm : public torch::autograd::Function<CpuBatchNorm> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const at::Tensor& weight,
                            const at::Tensor& bias, at::Tensor running_mean, at::Tensor running_var,
                            double momentum, double eps) {
    const at::Tensor x = channels_last(input);
    const cpu::Activations shape = shape_of(x);
    const at::Tensor mean = at::empty({shape.channels}, at::kDouble), variance = at::empty_like(mean);
    cpu::batch_statistics(shape, x.const_data_ptr<float>(), mean.mutable_data_ptr<double>(),
                          variance.mutable_data_ptr<double>());

    const double unbiased =
        static_cast<double>(shape.rows) / static_cast<double>(std::max<int64_t>(1, shape.rows - 1));
    running_mean.mul_(1 - momentum).add_(mean, momentum);
    running_var.mul_(1 - momentum).add_(variance, momentum * unbiased);

    const at::Tensor r = (variance + eps).rsqrt(), mean32 = mean.to(at::kFloat),
                     scale = (r * weight).to(at::kFloat);
    at::Tensor y = at::empty_like(x);
    cpu::normalise(shape, x.const_data_ptr<float>(), mean32.const_data_ptr<float>(),
                   scale.const_data_ptr<float>(), bias.const_data_ptr<float>(), y.mutable_data_ptr<float>());
    ctx->save_for_backward({x, weight, mean32, r});
    return y;
  }

  // With M rows: dx = weight r (dy - sum(dy) / M - (x - mean) r^2 sum(dy (x - mean)) / M).
  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &r = saved[3];
    const at::Tensor dy = channels_last(gradients[0]);
    const cpu::Activations shape = shape_of(x);
    const at::Tensor sum_dy = at::empty({shape.channels}, at::kDouble), sum_dy_x = at::empty_like(sum_dy);
    cpu::gradient_sums(shape, dy.const_data_ptr<float>(), x.const_data_ptr<float>(),
                       mean.const_data_ptr<float>(), sum_dy.mutable_data_ptr<double>(),
                       sum_dy_x.mutable_data_ptr<double>());

    const auto rows = static_cast<double>(shape.rows);
    const at::Tensor scale = r * weight;
    const at::Tensor from_dy = scale.to(at::kFloat),
                     from_x = (scale * r * r * sum_dy_x / -rows).to(at::kFloat),
                     shift = (scale * sum_dy / -rows).to(at::kFloat);
    at::Tensor dx = at::empty_like(x);
    cpu::input_gradient(shape, dy.const_data_ptr<float>(), x.const_data_ptr<float>(),
                        mean.const_data_ptr<float>(), from_dy.const_data_ptr<float>(),
                        from_x.const_data_ptr<float>(), shift.const_data_ptr<float>(),
                        dx.mutable_data_ptr<float>());
    return {dx, (r * sum_dy_x).to(at::kFloat), sum_dy.to(at::kFloat), {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor batch_norm_training(const at::Tensor& x, const BatchNormWeights& weights, const BatchNorm& norm) {
  if (x.is_cpu() && x.scalar_type() == at::kFloat) {
    return CpuBatchNorm::apply(x, weights.weight, weights.bias, weights.running_mean, weights.running_var,
                               norm.momentum, norm.eps);
  }
  return at::batch_norm(x, weights.weight, weights.bias, weights.running_mean, weights.running_var, true,
                        norm.momentum, norm.eps, false);
}

}  // namespace lucivox
