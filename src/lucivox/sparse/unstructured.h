#pragma once

#include <lucivox/sparse/convolutions.h>
#include <lucivox/sparse/mask.h>

namespace lucivox {

// Random unstructured sparsity (Chaturvedi et al., section 2.1, Fig. 2a): exactly round(amount * weights) of
// every layer, drawn by (seed, node), so that a layer's mask does not depend on which others are pruned.
Masks random_masks(const std::vector<ConvolutionWeight>& layers, double amount, uint64_t seed);

// Magnitude sparsity, Top-K (same section, Fig. 3): the round(amount * weights) of smallest |w| of a layer
// are pruned. Surviving weights stay where they were.
at::Tensor magnitude_mask(const ConvolutionWeight& layer, double amount);

// The same over all layers together: those with small weights lose more.
Masks global_magnitude_masks(const std::vector<ConvolutionWeight>& layers, double amount);

}  // namespace lucivox
