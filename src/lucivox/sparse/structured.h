#pragma once

#include <lucivox/sparse/mask.h>

namespace lucivox {

// Structured sparsity (Chaturvedi et al., section 2.1): in every convolution whose filters are read by other
// convolutions alone, the `amount` (0 .. 1) of filters with the smallest L1 norm is pruned. A pruned filter
// goes as a whole: its weights and bias, its channel in the batch norms behind it and in the convolutions
// that read it, so that the network can be made smaller without changing its output. Filters whose output
// joins a concatenation (dense and long skips) or is the network's output are left alone. Throws Error when
// amount is outside [0, 1) or would leave a layer without filters.
Masks structured_masks(const Network& network, double amount);

}  // namespace lucivox
