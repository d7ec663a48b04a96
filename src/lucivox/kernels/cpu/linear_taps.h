#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace lucivox::cpu {

// Outputs that read an input, with its weight in them.
using Readers = std::vector<std::pair<int64_t, float>>;

// Linear interpolation along one axis with the ends aligned: an output is first + weight (second - first).
struct LinearTaps {
  LinearTaps(int64_t inputs, int64_t outputs);
  std::vector<Readers> readers(int64_t inputs) const;

  struct Tap {
    int64_t first, second;
    float weight;
  };
  std::vector<Tap> of;  // each output
};

}  // namespace lucivox::cpu
