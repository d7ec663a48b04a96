#include <lucivox/kernels/cpu/mixed_scale.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/mixed_scale.cpp"
#include <algorithm>
#include <set>
#include <utility>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/kernels/cpu/mixed_scale_rows.h>
#include <lucivox/kernels/cpu/multiply-inl.h>

// A map that is finished is added to the sums of all later layers at once, so that a pixel, once loaded,
// meets the weights of as many layers as have the same dilation. For that, layers are taken in blocks of
// different dilations: within a block each layer reads the maps of the block itself, one layer at a time;
// then the whole block is added to what comes behind.

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// Vectors of a row that are computed at once: with kMostOutputs sums each they fill the registers.
#if HWY_ARCH_ARM_A64 || HWY_MAX_BYTES >= 64
constexpr int kVectors = 4;
#else
constexpr int kVectors = 2;
#endif

template <int Outputs, int Vectors>
HWY_INLINE void convolve_part(const RowOfPass& row, int64_t x) {
  const Floats d;
  const int64_t lanes = lanes_of(WholeVector());
  hn::Vec<Floats> sum[Outputs][Vectors];
  for (int o = 0; o < Outputs; ++o) {
    for (int v = 0; v < Vectors; ++v)
      sum[o][v] = row.start ? hn::Set(d, row.start[o]) : hn::LoadU(d, row.to[o] + x + v * lanes);
  }
  for (int64_t s = 0; s < row.source_count; ++s) {
    const Source& source = row.sources[s];
    const float *map = source.maps + x - source.dilation, *weights = source.weights;
    for (int64_t m = 0; m < source.count; ++m, map += source.stride, weights += source.weights_a_map) {
      for (int64_t r = 0; r < source.row_count; ++r) {
        const float *from = map + source.rows[r].pixels, *w = weights + source.rows[r].weights;
        for (int tap = 0; tap < 3; ++tap, from += source.dilation, w += Outputs) {
          hn::Vec<Floats> pixels[Vectors];
          for (int v = 0; v < Vectors; ++v) pixels[v] = hn::LoadU(d, from + v * lanes);
          for (int o = 0; o < Outputs; ++o) {
            const auto weight = hn::Set(d, w[o]);
            for (int v = 0; v < Vectors; ++v) sum[o][v] = hn::MulAdd(weight, pixels[v], sum[o][v]);
          }
        }
      }
    }
  }
  for (int o = 0; o < Outputs; ++o) {
    for (int v = 0; v < Vectors; ++v) {
      const auto value = row.finishes ? hn::Max(sum[o][v], hn::Zero(d)) : sum[o][v];
      hn::StoreU(value, d, row.to[o] + x + v * lanes);
    }
  }
}

template <int Outputs>
void convolve_outputs(const RowOfPass& row) {
  const int64_t lanes = lanes_of(WholeVector()), end = row.begin + row.pixels;
  int64_t x = row.begin;
  for (; x + (kVectors - 1) * lanes < end; x += kVectors * lanes) convolve_part<Outputs, kVectors>(row, x);
  for (; x + lanes < end; x += 2 * lanes) convolve_part<Outputs, 2>(row, x);
  if (x < end) convolve_part<Outputs, 1>(row, x);
}

void convolve_any_outputs(const RowOfPass& row) {
  switch (row.outputs) {
    case 1:
      return convolve_outputs<1>(row);
    case 2:
      return convolve_outputs<2>(row);
    case 3:
      return convolve_outputs<3>(row);
    case 4:
      return convolve_outputs<4>(row);
    case 5:
      return convolve_outputs<5>(row);
    default:
      return convolve_outputs<6>(row);
  }
}

// out[x] = bias + sum over `maps` rows, `stride` floats apart, of weight times pixel.
void combine_row(const float* from, int64_t stride, int64_t maps, const float* weights, float bias,
                 int64_t pixels, float* out) {
  const Floats d;
  over_vectors(pixels, [&](int64_t x, auto width) {
    auto sum = hn::Set(d, bias);
    for (int64_t map = 0; map < maps; ++map)
      sum = hn::MulAdd(hn::Set(d, weights[map]), hn::LoadU(d, from + map * stride + x), sum);
    store(sum, out + x, width);
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(convolve_any_outputs);
HWY_EXPORT(combine_row);

namespace {

constexpr int64_t kLine = 16;  // floats of a cache line

// An odd number of lines, so that what lies so far apart spreads over the sets of a cache.
int64_t odd_lines(int64_t floats) {
  return (whole_lines(floats) / kLine | 1) * kLine;
}

// Maps [first, first + count) convolved at one dilation and added to the maps `outputs`.
struct Pass {
  int64_t first, count;
  std::vector<int64_t> outputs;
  std::array<int64_t, 3> dilation;
  std::vector<float> weights;
  std::vector<float> start;  // of each output's sums; empty: they go on
  bool finishes;
};

class Forward {
 public:
  Forward(const MixedScale& network, const LayerWeights& weights, const MapLayout& layout, float* maps)
      : network_(network), weights_(weights), layout_(layout), maps_(maps) {}

  void run() {
    for_rows(layout_, network_.inputs,
             [&](int64_t map, int64_t z, int64_t y) { fill_margins(maps_ + layout_.at(map, z, y)); });
    add_to_layers(0, network_.inputs, 0);
    for (const auto& [begin, end] : blocks_of(network_)) {
      const int64_t first = network_.first_map(begin);
      for (int64_t layer = begin; layer < end; ++layer)
        run(passes_to({layer}, first, network_.first_map(layer) - first, true));
      add_to_layers(first, network_.first_map(end) - first, end);
    }
  }

 private:
  // Adds these maps to the sums of all layers from `layer` on.
  void add_to_layers(int64_t first, int64_t count, int64_t layer) {
    const std::set<std::array<int64_t, 3>> dilations(network_.dilations.begin() + layer,
                                                     network_.dilations.end());
    std::vector<Pass> passes;
    for (const auto& dilation : dilations) {
      std::vector<int64_t> layers;
      for (int64_t l = layer; l < network_.depth(); ++l) {
        if (network_.dilations[static_cast<size_t>(l)] == dilation) layers.push_back(l);
      }
      for (Pass& pass : passes_to(layers, first, count, false)) passes.push_back(std::move(pass));
    }
    run(passes);
  }

  // Passes to layers of one dilation. The first that a layer's sums see begins with its bias.
  std::vector<Pass> passes_to(const std::vector<int64_t>& layers, int64_t first, int64_t count,
                              bool finishes) const {
    std::vector<int64_t> outputs, maps;
    for (const int64_t layer : layers) {
      for (int64_t c = 0; c < network_.width; ++c) outputs.push_back(network_.first_map(layer) + c);
    }
    for (int64_t map = first; map < first + count; ++map) maps.push_back(map);
    const auto numbers_of = [&](int64_t output) -> const auto& {
      return weights_[static_cast<size_t>(network_.layer_of(output))];
    };
    std::vector<Pass> passes;
    over_parts(static_cast<int64_t>(outputs.size()), [&](int64_t begin, int64_t end) {
      Pass pass{first,
                count,
                {outputs.begin() + begin, outputs.begin() + end},
                network_.dilations[static_cast<size_t>(layers[0])],
                {},
                {},
                finishes};
      pass.weights = packed(maps, pass.outputs, network_.taps(), [&](int64_t map, int64_t output) {
        const int64_t kernel =
            network_.channel_of(output) * network_.first_map(network_.layer_of(output)) + map;
        return numbers_of(output).weight + kernel * network_.taps();
      });
      if (first == 0) {
        for (const int64_t output : pass.outputs)
          pass.start.push_back(numbers_of(output).bias[network_.channel_of(output)]);
      }
      passes.push_back(std::move(pass));
    });
    return passes;
  }

  void run(const std::vector<Pass>& passes) {
    for_rows(layout_, static_cast<int64_t>(passes.size()), [&](int64_t number, int64_t z, int64_t y) {
      const Pass& pass = passes[static_cast<size_t>(number)];
      const auto outputs = static_cast<int64_t>(pass.outputs.size());
      std::array<float*, kMostOutputs> to{};
      for (size_t o = 0; o < pass.outputs.size(); ++o) to[o] = maps_ + layout_.at(pass.outputs[o], z, y);
      std::array<KernelRow, 9> rows{};
      const Source source{
          maps_ + pass.first * layout_.map, pass.count,       layout_.map, pass.weights.data(),
          network_.taps() * outputs,        pass.dilation[2], rows.data(), rows_read(pass, z, y, rows)};
      convolve_row({&source, 1, to.data(), outputs, 0, layout_.x,
                    pass.start.empty() ? nullptr : pass.start.data(), pass.finishes});
      if (!pass.finishes) return;
      for (int64_t o = 0; o < outputs; ++o) fill_margins(to[static_cast<size_t>(o)]);
    });
  }

  // The rows that the kernel meets at an output row; how many.
  int64_t rows_read(const Pass& pass, int64_t z, int64_t y, std::array<KernelRow, 9>& rows) const {
    int64_t count = 0;
    for (int64_t r = 0; r < network_.kernel_rows(); ++r) {
      const int64_t along_z = network_.volume ? r / 3 - 1 : 0, along_y = r % 3 - 1;
      const int64_t from_z = place_beyond(z + along_z * pass.dilation[0], layout_.z, network_.edge),
                    from_y = place_beyond(y + along_y * pass.dilation[1], layout_.y, network_.edge);
      if (from_z < 0 || from_y < 0) continue;
      rows[static_cast<size_t>(count++)] = {layout_.at(0, from_z, from_y),
                                            r * 3 * static_cast<int64_t>(pass.outputs.size())};
    }
    return count;
  }

  // What lies beyond both ends of a row; zeros behind what is read, for the way back meets it with zeros.
  void fill_margins(float* row) const {
    for (const auto [to, from] : margins_) row[to] = from < 0 ? 0 : row[from];
  }
  std::vector<std::array<int64_t, 2>> margins() const {
    std::vector<std::array<int64_t, 2>> places;
    for (int64_t i = 1; i <= widest_along_x(network_); ++i) {
      for (const int64_t beyond : {-i, layout_.x - 1 + i})
        places.push_back({beyond, place_beyond(beyond, layout_.x, network_.edge)});
    }
    for (int64_t i = layout_.x + widest_along_x(network_); i < layout_.row - layout_.margin; ++i)
      places.push_back({i, -1});
    return places;
  }

  const MixedScale& network_;
  const LayerWeights& weights_;
  const MapLayout& layout_;
  float* maps_;
  const std::vector<std::array<int64_t, 2>> margins_ = margins();
};

}  // namespace

int64_t place_beyond(int64_t i, int64_t n, Edge edge) {
  if (i >= 0 && i < n) return i;
  if (edge == Edge::Zeros) return -1;
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1), within = (i % period + period) % period;
  return within < n ? within : period - within;
}

int64_t whole_lines(int64_t floats) {
  return (floats + kLine - 1) / kLine * kLine;
}

int64_t widest_along_x(const MixedScale& network) {
  int64_t widest = 0;
  for (const auto& dilation : network.dilations) widest = std::max(widest, dilation[2]);
  return widest;
}

std::vector<std::array<int64_t, 2>> blocks_of(const MixedScale& network) {
  std::vector<std::array<int64_t, 2>> blocks;
  for (int64_t layer = 0; layer < network.depth();) {
    const int64_t begin = layer;
    std::set<std::array<int64_t, 3>> met;
    while (layer < network.depth() && met.insert(network.dilations[static_cast<size_t>(layer)]).second)
      ++layer;
    blocks.push_back({begin, layer});
  }
  return blocks;
}

MapLayout::MapLayout(const MixedScale& network, std::array<int64_t, 3> shape_zyx, Margins margins)
    : z(shape_zyx[0]), y(shape_zyx[1]), x(shape_zyx[2]) {
  margin = whole_lines(widest_along_x(network)) * (margins == Margins::Written ? 2 : 1);
  row = odd_lines(margin + whole_lines(x) + margin);
  plane = odd_lines(row * y);
  map = odd_lines(plane * z);
}

void convolve_row(const RowOfPass& row) {
  HWY_DYNAMIC_DISPATCH(convolve_any_outputs)(row);
}

void mixed_scale_forward(const MixedScale& network, const LayerWeights& weights, const MapLayout& layout,
                         float* maps) {
  Forward(network, weights, layout, maps).run();
}

void mixed_scale_output(const MixedScale& network, const MapLayout& layout, const float* maps,
                        int64_t outputs, const float* weight, const float* bias, float* out) {
  for_rows(layout, outputs, [&](int64_t o, int64_t z, int64_t y) {
    HWY_DYNAMIC_DISPATCH(combine_row)
    (maps + layout.at(0, z, y), layout.map, network.maps(), weight + o * network.maps(), bias[o], layout.x,
     out + ((o * layout.z + z) * layout.y + y) * layout.x);
  });
}

}  // namespace lucivox::cpu
#endif
