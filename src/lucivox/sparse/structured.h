#pragma once

#include <functional>

#include <lucivox/sparse/convolutions.h>
#include <lucivox/sparse/mask.h>

namespace lucivox {

// What is judged when whole channels go, by the norm of
enum class Structure {
  Filters,   // the filter that makes a channel
  Channels,  // the weights that read it, of all convolutions that do
};

struct StructuredOptions {
  Structure structure = Structure::Filters;
  int norm = 1;  // 1 (sum of |w|) or 2 (Euclidean)
  // Whether the channels of a judged convolution may go.
  std::function<bool(const ConvolutionWeight&)> targeted = [](const ConvolutionWeight&) { return true; };
};

// Structured sparsity (Chaturvedi et al., section 2.1): of every convolution whose channels are read by other
// convolutions alone, the `amount` (0 .. 1) of channels with the smallest norm is pruned. A pruned channel
// goes as a whole: the filter that makes it and its bias, its place in the batch norms behind it and in the
// convolutions that read it, so that the network can be made smaller without changing its output. Channels
// that join a concatenation (dense and long skips) or are the network's output are left alone. Throws Error
// when a layer would be left without filters.
Masks structured_masks(const Weights& network, double amount, const StructuredOptions& options = {});

}  // namespace lucivox
