#pragma once

#include <string>
#include <vector>

#include <lucivox/sparse/mask.h>

namespace lucivox {

// What pruning does to one convolution.
struct LayerSparsity {
  std::string name;
  std::vector<int64_t> shape;  // of its weight
  int64_t kept = 0;            // weights that are not zero afterwards
  int64_t total = 0;
  double norm_lost = 0;  // |w - pruned w| / |w| by the Euclidean norm, 0 .. 1
};

// Of every convolution in the order they are computed; `dense` holds the weights before masks are applied.
// Throws Error when the masks are of another network.
std::vector<LayerSparsity> layer_sparsity(const Weights& dense, const Masks& masks);

}  // namespace lucivox
