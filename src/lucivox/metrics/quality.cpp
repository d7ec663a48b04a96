#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/metrics/quality.h>
#include <lucivox/metrics/ssim.h>

namespace lucivox {
namespace {

constexpr double kMaxPsnr = 200;

}  // namespace

Quality quality(const at::Tensor& image, const at::Tensor& truth, const QualityWindow& window) {
  const double width = window.high - window.low;
  if (!(width > 0) || !std::isfinite(width))
    throw Error::misuse(
        fmt::format("the window's low must be below its high, but is {} of {}", window.low, window.high),
        "for HU -1024,1024 is usual");
  const at::NoGradGuard no_grad;
  const auto unit = [&](const at::Tensor& t) {
    return (t.to(at::kDouble).reshape({1, 1, t.size(0), t.size(1)}) - window.low) / width;
  };
  const at::Tensor a = unit(image), b = unit(truth);
  Quality q;
  q.mse = (a - b).square().mean().item<double>();
  q.psnr = q.mse > 0 ? std::min(-10 * std::log10(q.mse), kMaxPsnr) : kMaxPsnr;
  q.ssim = ssim(a, b).item<double>();
  q.ms_ssim = ms_ssim(a, b).item<double>();
  q.rmse = std::sqrt(q.mse) * width;
  q.bias = (a - b).mean().item<double>() * width;
  return q;
}

Quality mean(const std::vector<Quality>& slices) {
  if (slices.empty()) throw Error("no slices to average");
  Quality sum;
  for (const Quality& q : slices) {
    sum.mse += q.mse;
    sum.psnr += q.psnr;
    sum.ssim += q.ssim;
    sum.ms_ssim += q.ms_ssim;
    sum.rmse += q.rmse;
    sum.bias += q.bias;
  }
  const auto n = static_cast<double>(slices.size());
  return {sum.mse / n, sum.psnr / n, sum.ssim / n, sum.ms_ssim / n, sum.rmse / n, sum.bias / n};
}

}  // namespace lucivox
