#pragma once

#include <lucivox/nn/model.h>

namespace lucivox {

// The channels that a network can lose without changing its output, in training and in evaluation, found from
// its weights alone, whatever made them zero. A channel goes when at every convolution that reads it either
// the weights that read it are zero (for all filters that stay), or its value is zero for every input: its
// filter reads nothing but zeros and has no bias, or a batch norm behind it has weight and bias zero. Values
// are followed through activations, pooling, up-sampling and concatenations. The network's own channels, at
// the input and at the output, stay, and one filter of every convolution.
Shrinking removable_channels(const Weights& network);

// The model without its removable channels, and back with zeros at their places. shrink() gives the model as
// it is when nothing can go. Throw Error when it is shrunk already, and when it is not.
Model shrink(Model model);
Model expand(Model model);

}  // namespace lucivox
