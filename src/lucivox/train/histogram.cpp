#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <lucivox/train/histogram.h>

namespace lucivox {
namespace {

constexpr int64_t kBins = 81;  // an odd number, so that zero lies in the middle of one

// [weights], of the convolutions that `masks` keep; float64 on the CPU.
at::Tensor kept_weights(const Weights& weights, const Masks& masks) {
  std::vector<at::Tensor> kept;
  for (const auto& [name, weight] : weights.parameters()) {
    if (weight.dim() != 4) continue;
    const auto mask =
        std::find_if(masks.begin(), masks.end(), [&n = name](const auto& entry) { return entry.first == n; });
    kept.push_back(mask == masks.end() ? weight.flatten() : weight.masked_select(mask->second > 0));
  }
  return at::cat(kept).to(at::kCPU, at::kDouble);
}

}  // namespace

WeightHistogram weight_histogram(const Weights& weights, const Masks& masks, double limit) {
  const at::NoGradGuard no_grad;
  const at::Tensor counts =
      at::histc(kept_weights(weights, masks).clamp(-limit, limit), kBins, -limit, limit).to(at::kLong);
  return {limit, {counts.data_ptr<int64_t>(), counts.data_ptr<int64_t>() + kBins}};
}

double histogram_limit(const Weights& weights) {
  const at::NoGradGuard no_grad;
  return 4 * kept_weights(weights, {}).std().item<double>();
}

}  // namespace lucivox
