#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <lucivox/exec/network.h>
#include <lucivox/image/border.h>

namespace lucivox {

// Runs a network on slices of any size. Not thread-safe.
class Engine {
 public:
  // Shares the weights. Throws Error when the network reads volumes, or makes no single image of a slice.
  explicit Engine(const Weights& weights, const Border& border = {});

  // float32 [C, Y, X] in unit range, as many adjacent slices as the network reads, -> [Y, X], the middle one.
  // It is padded by the border rule, and mirrored on where its sides are not multiples of the network's; both
  // are cut away again.
  at::Tensor run(const at::Tensor& unit_CYX);

 private:
  Network network_;
  const Border border_;
};

}  // namespace lucivox
