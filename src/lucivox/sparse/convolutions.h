#pragma once

#include <string>
#include <vector>

#include <lucivox/nn/weights.h>

namespace lucivox {

// A convolution (transposed or not) of a network with its weight, as the pruning criteria see it.
struct ConvolutionWeight {
  NodeId node;
  std::string name;  // of the node; its weight is called name.weight
  Convolution convolution;
  at::Tensor weight;  // 4-d, without gradient, shares storage with the network
  bool last;          // no other convolution lies between it and the network's output
};

// All of them, in the order they are computed.
std::vector<ConvolutionWeight> convolutions_of(const Weights& network);

// How many of `total` things an amount of 0 .. 1 is, rounded to the nearest.
int64_t share_of(double amount, int64_t total);

// For values [n]: 1 where they are kept and 0 at the `pruned` smallest; among equals the first go.
at::Tensor keep_largest(const at::Tensor& values, int64_t pruned);

}  // namespace lucivox
