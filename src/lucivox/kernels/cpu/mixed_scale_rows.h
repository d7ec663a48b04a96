#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/mixed_scale.h>

// What the passes forward and backward through a Mixed-Scale Dense network have in common: rows of some maps,
// convolved and added to rows of others.
namespace lucivox::cpu {

constexpr int64_t kMostOutputs = 6;  // sums of a pixel that registers hold at once

// One row of a 3x3x3 kernel: the pixels that it meets, from the beginning of a map, and its weights.
struct KernelRow {
  int64_t pixels, weights;
};

// Maps that lie `stride` apart, read by kernels of one dilation; a negative one turns the kernel around.
struct Source {
  const float* maps;
  int64_t count, stride;
  const float* weights;  // [map][row of the kernel][3][output]
  int64_t weights_a_map, dilation;
  const KernelRow* rows;  // those that there are
  int64_t row_count;
};

// to[o][x] for x from `begin` on, `pixels` of them, rounded up to whole vectors: start[o], or what is there,
// + the sum over all sources; below 0 becomes 0 where that finishes it.
struct RowOfPass {
  const Source* sources;
  int64_t source_count;
  float* const* to;
  int64_t outputs;  // at most kMostOutputs
  int64_t begin, pixels;
  const float* start;  // null: sums go on
  bool finishes;
};

void convolve_row(const RowOfPass& row);

// The layers in blocks of different dilations, each [begin, end).
std::vector<std::array<int64_t, 2>> blocks_of(const MixedScale& network);

// `floats` rounded up to whole cache lines.
int64_t whole_lines(int64_t floats);
int64_t widest_along_x(const MixedScale& network);

// Weights of `maps` maps for `outputs`, in the order of Source; weight(map, output) gives the first of a
// kernel.
template <typename Weight>
std::vector<float> packed(const std::vector<int64_t>& maps, const std::vector<int64_t>& outputs, int64_t taps,
                          const Weight& weight) {
  std::vector<float> to;
  to.reserve(maps.size() * outputs.size() * static_cast<size_t>(taps));
  for (const int64_t map : maps) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (const int64_t output : outputs) to.push_back(weight(map, output)[tap]);
    }
  }
  return to;
}

// Calls body(begin, end) for nearly equal parts of `count`, of at most kMostOutputs each.
template <typename Body>
void over_parts(int64_t count, const Body& body) {
  const int64_t parts = (count + kMostOutputs - 1) / kMostOutputs;
  for (int64_t part = 0; part < parts; ++part) body(count * part / parts, count * (part + 1) / parts);
}

// Calls body(item, z, y) for every row, a few rows of a plane at a time; these are shared out among threads.
template <typename Body>
void for_rows(const MapLayout& layout, int64_t items, const Body& body) {
  constexpr int64_t kRows = 8;
  const int64_t parts = (layout.y + kRows - 1) / kRows;
  parallel_for(0, layout.z * parts, [&](int64_t part) {
    const int64_t z = part / parts, first = part % parts * kRows,
                  last = first + kRows < layout.y ? first + kRows : layout.y;
    for (int64_t item = 0; item < items; ++item) {
      for (int64_t y = first; y < last; ++y) body(item, z, y);
    }
  });
}

}  // namespace lucivox::cpu
