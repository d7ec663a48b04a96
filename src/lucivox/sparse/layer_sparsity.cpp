#include <algorithm>

#include <ATen/ATen.h>

#include <lucivox/sparse/convolutions.h>
#include <lucivox/sparse/layer_sparsity.h>

namespace lucivox {
namespace {

at::Tensor masked(const ConvolutionWeight& layer, const Masks& masks) {
  const auto mask = std::find_if(masks.begin(), masks.end(),
                                 [&](const auto& entry) { return entry.first == layer.name + ".weight"; });
  return mask == masks.end() ? layer.weight : layer.weight * mask->second;
}

}  // namespace

std::vector<LayerSparsity> layer_sparsity(const Weights& dense, const Masks& masks) {
  require_masks_fit(masks, dense);
  std::vector<LayerSparsity> facts;
  for (const ConvolutionWeight& layer : convolutions_of(dense)) {
    const at::Tensor pruned = masked(layer, masks);
    const double norm = layer.weight.norm().item<double>();
    const double lost = norm > 0 ? (layer.weight - pruned).norm().item<double>() / norm : 0;
    facts.push_back({layer.name, layer.weight.sizes().vec(), pruned.count_nonzero().item<int64_t>(),
                     layer.weight.numel(), lost});
  }
  return facts;
}

}  // namespace lucivox
