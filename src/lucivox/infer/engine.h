#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <lucivox/nn/network.h>

namespace lucivox {

// Runs a network on slices of any size, by the libtorch module. Not thread-safe.
class Engine {
 public:
  // `network` must outlive the engine.
  explicit Engine(Network& network) : network_(network) {}

  // float32 [C, Y, X] in unit range, as many adjacent slices as the network reads, -> [Y, X], the middle one.
  // Sides that are no multiple of the network's are padded by repeating the last row and column, and cut
  // again.
  at::Tensor run(const at::Tensor& unit_CYX);

 private:
  Network& network_;
};

}  // namespace lucivox
