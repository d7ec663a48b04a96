#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/sparse/mask.h>

namespace lucivox {

void apply_masks(const Masks& masks, const Weights& network) {
  const at::NoGradGuard no_grad;
  // where() and not a product: 0 * infinity would not be zero, and -1 * 0 would be -0
  for (const auto& [name, mask] : masks) {
    const at::Tensor& weight = network.weight(name);
    weight.copy_(at::where(mask > 0, weight, at::zeros_like(weight)));
  }
}

void mask_gradients(const Masks& masks, const Weights& network) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, mask] : masks) {
    at::Tensor& gradient = network.weight(name).mutable_grad();
    if (gradient.defined()) gradient.mul_(mask);
  }
}

double sparsity(const Masks& masks, const Weights& network) {
  double pruned = 0, all = 0;
  for (const auto& [name, weight] : network.parameters()) {
    if (weight.dim() == 4) all += static_cast<double>(weight.numel());
  }
  for (const auto& [name, mask] : masks) {
    if (mask.dim() == 4) pruned += (mask == 0).sum().item<double>();
  }
  return all > 0 ? pruned / all : 0;
}

void require_masks_fit(const Masks& masks, const Weights& network) {
  for (const auto& [name, mask] : masks) {
    const bool fits =
        network.weight(name).sizes() == mask.sizes() && ((mask == 0) | (mask == 1)).all().item<bool>();
    if (!fits)
      throw Error(fmt::format("the mask of '{}' belongs to another network", name),
                  "use the mask of this model");
  }
}

}  // namespace lucivox
