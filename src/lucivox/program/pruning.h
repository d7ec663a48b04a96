#pragma once

#include <filesystem>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/sparse/layer_sparsity.h>

namespace lucivox {

struct PruneJob {
  PruningOptions pruning;
  uint64_t seed = 1;
  bool shrink = false;  // remove what is zero, so that a smaller network is left
};

// How large a network is.
struct NetworkSize {
  int64_t parameters = 0;
  double gflop = 0;  // of one 512x512 slice, forward
};

struct PruneResult {
  std::vector<LayerSparsity> layers;
  NetworkSize before, after;
};

Json to_json(const PruneResult& result);

// Prunes the model in one file into another, its history told under "pruning" in how it was trained; without
// a criterion it only shrinks what is zero already. Throws Error for a model that was shrunk before, when
// there is nothing to do, when `out` is the model itself, and as the criteria do; `out` then is untouched.
PruneResult prune_model(const std::filesystem::path& in, const std::filesystem::path& out,
                        const PruneJob& job);

// The dense network of a shrunk model, with zeros where channels were removed. Throws Error when the model
// was not shrunk or `out` is the model itself.
void expand_model(const std::filesystem::path& in, const std::filesystem::path& out);

}  // namespace lucivox
