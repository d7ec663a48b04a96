#include <ATen/ATen.h>

#include <lucivox/metrics/ssim.h>
#include <lucivox/train/loss.h>

namespace lucivox {

Loss image_loss(const at::Tensor& output, const at::Tensor& target, const LossOptions& options) {
  Loss loss;
  loss.mse = at::mse_loss(output, target);
  loss.total = options.mse * options.levels * options.levels * loss.mse;
  if (options.ms_ssim > 0) {
    loss.ms_ssim = ms_ssim(output, target, {.ssim = {}, .normalisation = Normalisation::Simple}).mean();
    loss.total = loss.total + options.ms_ssim * (1 - loss.ms_ssim);
  }
  return loss;
}

}  // namespace lucivox
