#include <ATen/ATen.h>

#include <lucivox/base/random.h>
#include <lucivox/sparse/unstructured.h>

namespace lucivox {

Masks random_masks(const std::vector<ConvolutionWeight>& layers, double amount, uint64_t seed) {
  Masks masks;
  for (const ConvolutionWeight& layer : layers) {
    const int64_t weights = layer.weight.numel();
    const auto order = Random(seed, static_cast<uint64_t>(layer.node)).permutation(weights);
    const at::Tensor drawn = at::tensor(order).narrow(0, 0, share_of(amount, weights));
    const at::Tensor mask = at::ones({weights}).index_fill_(0, drawn, 0);
    masks.emplace_back(layer.name + ".weight", mask.view(layer.weight.sizes()).to(layer.weight.options()));
  }
  return masks;
}

at::Tensor magnitude_mask(const ConvolutionWeight& layer, double amount) {
  const at::Tensor magnitudes = layer.weight.abs().flatten();
  return keep_largest(magnitudes, share_of(amount, magnitudes.numel())).view(layer.weight.sizes());
}

Masks global_magnitude_masks(const std::vector<ConvolutionWeight>& layers, double amount) {
  if (layers.empty()) return {};
  std::vector<at::Tensor> magnitudes;
  std::vector<int64_t> sizes;
  for (const ConvolutionWeight& layer : layers) {
    magnitudes.push_back(layer.weight.abs().flatten());
    sizes.push_back(layer.weight.numel());
  }
  const at::Tensor all = at::cat(magnitudes);
  const auto parts = keep_largest(all, share_of(amount, all.numel())).split_with_sizes(sizes);
  Masks masks;
  for (size_t i = 0; i < layers.size(); ++i) {
    const at::Tensor mask = parts[i].clone().view(layers[i].weight.sizes());
    masks.emplace_back(layers[i].name + ".weight", mask);
  }
  return masks;
}

}  // namespace lucivox
