#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lucivox::cpu {

// What lies around an image where a convolution reads beyond it: zeros, or the image mirrored at its
// outermost pixels, as often as needed.
enum class Edge { Zeros, Mirrored };

// The pixel, of an axis of n, that position i is; -1: none.
int64_t place_beyond(int64_t i, int64_t n, Edge edge);

// The dense part of a Mixed-Scale Dense network (Pelt and Sethian, PNAS 2018, eq. 3): layer l makes `width`
// maps, ReLU(the sum of dilated 3x3x3 convolutions of the inputs and all maps before it + bias).
struct MixedScale {
  int64_t inputs = 1, width = 1;
  bool volume = true;  // false: kernels are 1x3x3
  Edge edge = Edge::Mirrored;
  std::vector<std::array<int64_t, 3>> dilations;  // of each layer, along z, y and x

  int64_t depth() const { return static_cast<int64_t>(dilations.size()); }
  int64_t first_map(int64_t layer) const { return inputs + layer * width; }
  int64_t maps() const { return first_map(depth()); }
  int64_t layer_of(int64_t map) const { return (map - inputs) / width; }
  int64_t channel_of(int64_t map) const { return (map - inputs) % width; }
  int64_t kernel_rows() const { return volume ? 9 : 3; }
  int64_t taps() const { return 3 * kernel_rows(); }
};

// Where the maps of a volume of z * y * x pixels lie in memory: rows with margins on both sides, and
// distances between rows, planes and maps that spread them over the sets of a cache.
struct MapLayout {
  enum class Margins {
    Read,     // as wide as a convolution reads beyond a row
    Written,  // twice that: gradients are written there, and read from there
  };
  MapLayout(const MixedScale& network, std::array<int64_t, 3> shape_zyx, Margins margins = Margins::Read);

  int64_t z, y, x;
  int64_t margin;           // floats before the first pixel of a row, and behind its last one
  int64_t row, plane, map;  // floats from one to the next

  size_t floats(int64_t maps) const { return static_cast<size_t>(maps * map); }
  int64_t at(int64_t of_map, int64_t of_plane, int64_t of_row) const {
    return of_map * map + of_plane * plane + of_row * row + margin;
  }
};

// Of one layer: weights [width, maps before it, (3,) 3, 3], bias [width]; or their gradients.
template <typename Float>
struct LayerNumbers {
  Float *weight, *bias;
};
using LayerWeights = std::vector<LayerNumbers<const float>>;
using LayerGradients = std::vector<LayerNumbers<float>>;

// Computes all maps from the inputs, which lie in `maps` already.
void mixed_scale_forward(const MixedScale& network, const LayerWeights& weights, const MapLayout& layout,
                         float* maps);

// The last layer: out[o] = sum over the maps of weight[o][map] times it + bias[o], each [z][y][x],
// contiguous.
void mixed_scale_output(const MixedScale& network, const MapLayout& layout, const float* maps,
                        int64_t outputs, const float* weight, const float* bias, float* out);

// From the gradients of all maps by what the last layer makes of them (laid out with Margins::Written, the
// margins 0) to those by everything: of the inputs, which then lie in `gradients`, and of the weights, which
// are added to. Without layers' gradients only the inputs'. `maps` is what mixed_scale_forward() left.
void mixed_scale_backward(const MixedScale& network, const LayerWeights& weights, const MapLayout& layout,
                          const float* maps, const MapLayout& gradient_layout, float* gradients,
                          const LayerGradients& of_weights);

}  // namespace lucivox::cpu
