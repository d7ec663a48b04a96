#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace lucivox::cpu {

// Outputs that read an input, with its weight in them.
using Readers = std::vector<std::pair<int64_t, float>>;

// The windows of a pooling, [first, last), that a pixel lies in.
struct Windows {
  int64_t first, last;
};

// How two grids of pixels lie over each other. Aligned corners: the centres of the first pixels coincide, and
// those of the last. Half pixels: the borders do, so that the outermost centres of a finer grid lie beyond
// those of a coarser one, whose border continues there (PyTorch's align_corners = false, Keras's
// UpSampling2D).
enum class Grids { AlignedCorners, HalfPixels };

// Linear interpolation along one axis: an output is first + weight (second - first).
struct LinearTaps {
  LinearTaps(int64_t inputs, int64_t outputs, Grids grids);
  std::vector<Readers> readers(int64_t inputs) const;

  struct Tap {
    int64_t first, second;
    float weight;
  };
  std::vector<Tap> of;  // each output
};

}  // namespace lucivox::cpu
