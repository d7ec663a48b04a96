#pragma once

#include <string>

#include <ATen/ATen.h>

#include <lucivox/nn/graph.h>
#include <lucivox/sparse/mask.h>

namespace lucivox {

// The mask of a weight; undefined when it has none.
inline at::Tensor mask_of(const Masks& masks, const std::string& name) {
  for (const auto& [key, mask] : masks) {
    if (key == name) return mask;
  }
  return {};
}

inline int64_t pruned(const at::Tensor& mask) {
  return (mask == 0).sum().item<int64_t>();
}

// conv a (4 filters) is read by b alone; b's output is the network's.
inline Graph two_convolutions() {
  Graph g;
  g.convolution(g.batch_norm(g.leaky_relu(g.convolution(g.input(1), "a", 4, 3)), "norm"), "b", 1, 3);
  return g;
}

}  // namespace lucivox
