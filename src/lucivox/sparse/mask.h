#pragma once

#include <string>

#include <lucivox/nn/weights.h>

namespace lucivox {

// Which weights are kept: tensors of 0 and 1 with the shapes and names of the weights they belong to. A
// weight without a mask is kept whole. Pruned weights stay where they were, exactly zero.
using Masks = NamedTensors;

// Sets pruned weights to exactly zero.
void apply_masks(const Masks& masks, const Weights& network);

// Removes pruned weights from the gradients, so that an optimiser whose moments are zero there never moves
// them.
void mask_gradients(const Masks& masks, const Weights& network);

// The share of convolution weights that masks set to zero, 0 .. 1.
double sparsity(const Masks& masks, const Weights& network);

// Throws Error when a mask is of another network: name, shape, or values other than 0 and 1.
void require_masks_fit(const Masks& masks, const Weights& network);

}  // namespace lucivox
