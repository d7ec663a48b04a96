#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <lucivox/exec/shared_statistics.h>

namespace lucivox {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct Sum : torch::CustomClassHolder {
  explicit Sum(const SharedStatistics& all) : shared(all) {}
  SharedStatistics shared;
};

// The sum over ranks, differentiable: what the losses of all ranks make of it comes back to every summand.
class SumOverRanks : public torch::autograd::Function<SumOverRanks> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& values, const SharedStatistics& shared) {
    ctx->saved_data["sum"] = c10::IValue::make_capsule(c10::make_intrusive<Sum>(shared));
    return summed(values, shared);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    const auto capsule = ctx->saved_data["sum"].toCapsule();
    return {summed(gradients[0], static_cast<const Sum&>(*capsule).shared), {}};
  }

 private:
  static at::Tensor summed(const at::Tensor& values, const SharedStatistics& shared) {
    at::Tensor total = values.clone(at::MemoryFormat::Contiguous);
    shared.sum(total);
    return total;
  }
};

}  // namespace

at::Tensor shared_batch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& running_mean, const at::Tensor& running_variance,
                             double momentum, double eps, const SharedStatistics& shared) {
  const auto per_channel = [](const at::Tensor& values) { return values.view({1, -1, 1, 1}); };
  const at::Tensor values = x.to(weight.scalar_type());
  const int64_t of_each = x.numel() / x.size(1);
  const auto count = static_cast<double>(of_each * shared.ranks);
  const auto mean_of = [&](const at::Tensor& map) {
    return SumOverRanks::apply(map.sum(at::IntArrayRef{0, 2, 3}), shared) / count;
  };
  const at::Tensor mean = mean_of(values), centred = values - per_channel(mean),
                   variance = mean_of(centred.square());
  {
    const at::NoGradGuard no_grad;
    running_mean.mul_(1 - momentum).add_(mean, momentum);
    running_variance.mul_(1 - momentum).add_(variance, momentum * count / std::max(1.0, count - 1));
  }
  const at::Tensor scale = weight * (variance + eps).rsqrt();
  return (centred * per_channel(scale) + per_channel(bias)).to(x.scalar_type());
}

}  // namespace lucivox
