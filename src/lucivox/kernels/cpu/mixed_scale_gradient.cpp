#include <lucivox/kernels/cpu/mixed_scale.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/mixed_scale_gradient.cpp"
#include <algorithm>
#include <set>
#include <utility>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/kernels/cpu/mixed_scale_rows.h>
#include <lucivox/kernels/cpu/multiply-inl.h>

// The way back runs through the blocks of layers in reverse: a layer whose gradient is complete gives it to
// all maps before it in its block at once, and the block to all maps before the block. A row that was read
// beyond its ends gets gradients there, which are folded back once it is complete.

#ifndef LUCIVOX_MIXED_SCALE_PRODUCTS_
#define LUCIVOX_MIXED_SCALE_PRODUCTS_
namespace lucivox::cpu {

constexpr int64_t kMostGradients = 8;  // of layers, that meet a map's pixels at once

// Rows of a map and, at the same places, rows of the layers' gradients; `pixels` in each.
struct RowsOfProducts {
  const float* map;  // the pixel that meets the middle of the first row's first one
  const float* const* gradients;
  int64_t count, dilation, pixels;
};

}  // namespace lucivox::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// With kMostGradients layers the sums of three taps fill the registers of AVX-512 and NEON.
#if HWY_ARCH_ARM_A64 || HWY_MAX_BYTES >= 64
constexpr int kLayersAtOnce = 8;
#else
constexpr int kLayersAtOnce = 4;
#endif

// sums[layer][tap] += over the rows, pixel times gradient.
template <int Layers>
HWY_INLINE void add_products_of(const RowsOfProducts* rows, int64_t count, int64_t first, float* sums) {
  const Floats d;
  const int64_t lanes = lanes_of(WholeVector());
  hn::Vec<Floats> sum[Layers][3];
  for (int l = 0; l < Layers; ++l) {
    for (int tap = 0; tap < 3; ++tap) sum[l][tap] = hn::Zero(d);
  }
  for (const RowsOfProducts *row = rows, *end = rows + count; row != end; ++row) {
    const float* const* gradients = row->gradients + first;
    for (int64_t x = 0; x < row->pixels; x += lanes) {
      hn::Vec<Floats> pixels[3];
      for (int tap = 0; tap < 3; ++tap) pixels[tap] = hn::LoadU(d, row->map + x + (tap - 1) * row->dilation);
      for (int l = 0; l < Layers; ++l) {
        const auto gradient = hn::LoadU(d, gradients[l] + x);
        for (int tap = 0; tap < 3; ++tap) sum[l][tap] = hn::MulAdd(pixels[tap], gradient, sum[l][tap]);
      }
    }
  }
  for (int l = 0; l < Layers; ++l) {
    for (int tap = 0; tap < 3; ++tap)
      sums[(first + l) * 3 + tap] += hn::GetLane(hn::SumOfLanes(d, sum[l][tap]));
  }
}

// The gradients' rows are 0 behind their last pixel.
void add_products(const RowsOfProducts* rows, int64_t count, float* sums) {
  const int64_t layers = rows->count;
  int64_t first = 0;
  for (; first + kLayersAtOnce <= layers; first += kLayersAtOnce)
    add_products_of<kLayersAtOnce>(rows, count, first, sums);
  for (; first + 2 <= layers; first += 2) add_products_of<2>(rows, count, first, sums);
  if (first < layers) add_products_of<1>(rows, count, first, sums);
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(add_products);

namespace {

// For every pixel of an axis the pixels that read it with a tap of the kernel, where they lie, -1 to 1.
struct Reader {
  int64_t pixel, tap;
};
using Readers = std::vector<std::vector<Reader>>;

Readers readers_of(int64_t n, int64_t dilation, bool along, Edge edge) {
  Readers readers(static_cast<size_t>(n));
  for (int64_t pixel = 0; pixel < n; ++pixel) {
    for (int64_t tap = along ? -1 : 0; tap <= (along ? 1 : 0); ++tap) {
      const int64_t read = place_beyond(pixel + tap * dilation, n, edge);
      if (read >= 0) readers[static_cast<size_t>(read)].push_back({pixel, tap});
    }
  }
  return readers;
}

// A layer's gradients given to the maps `outputs`.
struct BackwardSource {
  int64_t layer;
  std::vector<float> weights;
};
struct BackwardPass {
  std::vector<int64_t> outputs;
  std::vector<BackwardSource> sources;
};

class Backward {
 public:
  Backward(const MixedScale& network, const LayerWeights& weights, const MapLayout& layout, const float* maps,
           const MapLayout& gradient_layout, float* gradients)
      : network_(network),
        weights_(weights),
        layout_(layout),
        maps_(maps),
        of_gradients_(gradient_layout),
        gradients_(gradients) {
    for (const auto& dilation : network.dilations) {
      along_z_.push_back(readers_of(layout.z, dilation[0], network.volume, network.edge));
      along_y_.push_back(readers_of(layout.y, dilation[1], true, network.edge));
    }
  }

  void run() {
    const std::vector<std::array<int64_t, 2>> blocks = blocks_of(network_);
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
      const auto [begin, end] = *block;
      for (int64_t layer = end - 1; layer >= begin; --layer) {
        complete(network_.first_map(layer), network_.width, true);
        give({layer}, network_.first_map(begin), network_.first_map(layer));
      }
      std::vector<int64_t> layers;
      for (int64_t layer = begin; layer < end; ++layer) layers.push_back(layer);
      give(layers, 0, network_.first_map(begin));
    }
    complete(0, network_.inputs, false);
  }

 private:
  // What was given to these maps beyond the ends of their rows is folded back; behind a ReLU only pixels
  // above 0 keep theirs.
  void complete(int64_t first, int64_t count, bool activated) {
    for_rows(of_gradients_, count, [&](int64_t i, int64_t z, int64_t y) {
      float* row = gradients_ + of_gradients_.at(first + i, z, y);
      for (int64_t x = 1; x <= widest_along_x(network_); ++x) {
        for (const int64_t beyond : {-x, of_gradients_.x - 1 + x}) {
          const int64_t place = place_beyond(beyond, of_gradients_.x, network_.edge);
          if (place >= 0) row[place] += row[beyond];
        }
      }
      std::fill(row - of_gradients_.margin, row, 0.0F);
      std::fill(row + of_gradients_.x, row + of_gradients_.row - of_gradients_.margin, 0.0F);
      if (!activated) return;
      const float* map = maps_ + layout_.at(first + i, z, y);
      for (int64_t x = 0; x < of_gradients_.x; ++x) row[x] = map[x] > 0 ? row[x] : 0;
    });
  }

  // The gradients of these layers to the maps [first, last).
  void give(const std::vector<int64_t>& layers, int64_t first, int64_t last) {
    std::vector<BackwardPass> passes;
    over_parts(last - first, [&](int64_t begin, int64_t end) {
      BackwardPass pass;
      for (int64_t map = first + begin; map < first + end; ++map) pass.outputs.push_back(map);
      for (const int64_t layer : layers) {
        std::vector<int64_t> channels;
        for (int64_t c = 0; c < network_.width; ++c) channels.push_back(c);
        pass.sources.push_back(
            {layer, packed(channels, pass.outputs, network_.taps(), [&](int64_t c, int64_t map) {
               return weights_[static_cast<size_t>(layer)].weight +
                      (c * network_.first_map(layer) + map) * network_.taps();
             })});
      }
      passes.push_back(std::move(pass));
    });
    // rows are computed as far beyond their ends as anything reads there
    const int64_t beyond = network_.edge == Edge::Zeros ? 0 : whole_lines(widest_along_x(network_));
    for_rows(of_gradients_, static_cast<int64_t>(passes.size()), [&](int64_t number, int64_t z, int64_t y) {
      const BackwardPass& pass = passes[static_cast<size_t>(number)];
      const auto outputs = static_cast<int64_t>(pass.outputs.size());
      std::array<float*, kMostOutputs> to{};
      for (size_t o = 0; o < pass.outputs.size(); ++o)
        to[o] = gradients_ + of_gradients_.at(pass.outputs[o], z, y);
      std::vector<std::vector<KernelRow>> rows;
      std::vector<Source> sources;
      rows.reserve(pass.sources.size());
      for (const BackwardSource& source : pass.sources) {
        const auto layer = static_cast<size_t>(source.layer);
        rows.push_back(rows_reading(layer, outputs, z, y));
        sources.push_back({gradients_ + of_gradients_.map * network_.first_map(source.layer), network_.width,
                           of_gradients_.map, source.weights.data(), network_.taps() * outputs,
                           -network_.dilations[layer][2], rows.back().data(),
                           static_cast<int64_t>(rows.back().size())});
      }
      convolve_row({sources.data(), static_cast<int64_t>(sources.size()), to.data(), outputs, -beyond,
                    of_gradients_.x + 2 * beyond, nullptr, false});
    });
  }

  // The rows of a layer that read this row of the maps before it.
  std::vector<KernelRow> rows_reading(size_t layer, int64_t outputs, int64_t z, int64_t y) const {
    std::vector<KernelRow> rows;
    for (const Reader& plane : along_z_[layer][static_cast<size_t>(z)]) {
      for (const Reader& row : along_y_[layer][static_cast<size_t>(y)]) {
        const int64_t of_kernel = network_.volume ? (plane.tap + 1) * 3 + row.tap + 1 : row.tap + 1;
        rows.push_back({of_gradients_.at(0, plane.pixel, row.pixel), of_kernel * 3 * outputs});
      }
    }
    return rows;
  }

  const MixedScale& network_;
  const LayerWeights& weights_;
  const MapLayout& layout_;
  const float* maps_;
  const MapLayout& of_gradients_;
  float* gradients_;
  std::vector<Readers> along_z_, along_y_;  // of each layer
};

// Gradients of weights: for every map and tap the products of its pixels and the gradients that they met.
// Each slab of planes has sums of its own, which are then added in their order, so that the number of threads
// does not matter.
class WeightGradients {
 public:
  WeightGradients(const MixedScale& network, const MapLayout& layout, const float* maps,
                  const MapLayout& gradient_layout, const float* gradients)
      : network_(network),
        layout_(layout),
        maps_(maps),
        of_gradients_(gradient_layout),
        gradients_(gradients) {
    const std::set<std::array<int64_t, 3>> dilations(network.dilations.begin(), network.dilations.end());
    for (const auto& dilation : dilations) {
      std::vector<int64_t> layers;
      for (int64_t l = 0; l < network.depth(); ++l) {
        if (network.dilations[static_cast<size_t>(l)] == dilation) layers.push_back(l);
      }
      alike_.push_back({dilation, std::move(layers)});
    }
  }

  void add_to(const LayerGradients& of_weights) {
    const int64_t slabs = (layout_.z + kPlanes - 1) / kPlanes;
    std::vector<std::vector<float>> sums(static_cast<size_t>(slabs));
    parallel_for(0, slabs, [&](int64_t slab) { sums[static_cast<size_t>(slab)] = sums_of(slab); });
    size_t next = 0;
    const auto total = [&] {
      double sum = 0;
      for (const auto& of_slab : sums) sum += static_cast<double>(of_slab[next]);
      ++next;
      return static_cast<float>(sum);
    };
    each_sum([&](int64_t layer, int64_t channel, int64_t map, int64_t kernel_row) {
      float* to = of_weights[static_cast<size_t>(layer)].weight +
                  (channel * network_.first_map(layer) + map) * network_.taps() + kernel_row * 3;
      for (int tap = 0; tap < 3; ++tap) to[tap] += total();
    });
    for (int64_t layer = 0; layer < network_.depth(); ++layer) {
      for (int64_t c = 0; c < network_.width; ++c) of_weights[static_cast<size_t>(layer)].bias[c] += total();
    }
  }

 private:
  static constexpr int64_t kPlanes = 2;  // of a slab

  struct Alike {
    std::array<int64_t, 3> dilation;
    std::vector<int64_t> layers;
  };

  // Calls body(layers that read the map, dilation, map, row of the kernel) in the order of the sums.
  template <typename Body>
  void each_group(const Body& body) const {
    for (const auto& [dilation, layers] : alike_) {
      for (int64_t map = 0; map < network_.maps(); ++map) {
        const auto later = std::find_if(layers.begin(), layers.end(),
                                        [&](int64_t layer) { return network_.first_map(layer) > map; });
        const std::vector<int64_t> reading(later, layers.end());
        if (reading.empty()) break;
        for (int64_t r = 0; r < network_.kernel_rows(); ++r) body(reading, dilation, map, r);
      }
    }
  }
  template <typename Body>
  void each_sum(const Body& body) const {
    each_group(
        [&](const std::vector<int64_t>& layers, const std::array<int64_t, 3>&, int64_t map, int64_t r) {
          for (const int64_t layer : layers) {
            for (int64_t c = 0; c < network_.width; ++c) body(layer, c, map, r);
          }
        });
  }

  std::vector<float> sums_of(int64_t slab) const {
    const int64_t begin = slab * kPlanes, end = std::min(layout_.z, begin + kPlanes);
    std::vector<float> sums;
    std::vector<RowsOfProducts> rows;
    std::vector<const float*> gradients;
    each_group([&](const std::vector<int64_t>& layers, const std::array<int64_t, 3>& dilation, int64_t map,
                   int64_t r) {
      const auto count = static_cast<int64_t>(layers.size()) * network_.width;
      const int64_t along_z = network_.volume ? r / 3 - 1 : 0, along_y = r % 3 - 1;
      rows.clear();
      gradients.clear();
      gradients.reserve(static_cast<size_t>((end - begin) * layout_.y * count));
      for (int64_t z = begin; z < end; ++z) {
        const int64_t from_z = place_beyond(z + along_z * dilation[0], layout_.z, network_.edge);
        for (int64_t y = 0; y < layout_.y && from_z >= 0; ++y) {
          const int64_t from_y = place_beyond(y + along_y * dilation[1], layout_.y, network_.edge);
          if (from_y < 0) continue;
          rows.push_back({maps_ + layout_.at(map, from_z, from_y), gradients.data() + gradients.size(), count,
                          dilation[2], layout_.x});
          for (const int64_t layer : layers) {
            for (int64_t c = 0; c < network_.width; ++c)
              gradients.push_back(gradients_ + of_gradients_.at(network_.first_map(layer) + c, z, y));
          }
        }
      }
      sums.resize(sums.size() + static_cast<size_t>(3 * count));
      if (rows.empty()) return;
      HWY_DYNAMIC_DISPATCH(add_products)
      (rows.data(), static_cast<int64_t>(rows.size()), sums.data() + sums.size() - 3 * count);
    });
    for (int64_t map = network_.inputs; map < network_.maps(); ++map) {
      double sum = 0;
      for (int64_t z = begin; z < end; ++z) {
        for (int64_t y = 0; y < layout_.y; ++y) {
          const float* row = gradients_ + of_gradients_.at(map, z, y);
          float of_row = 0;
          for (int64_t x = 0; x < layout_.x; ++x) of_row += row[x];
          sum += static_cast<double>(of_row);
        }
      }
      sums.push_back(static_cast<float>(sum));
    }
    return sums;
  }

  const MixedScale& network_;
  const MapLayout& layout_;
  const float* maps_;
  const MapLayout& of_gradients_;
  const float* gradients_;
  std::vector<Alike> alike_;
};

}  // namespace

void mixed_scale_backward(const MixedScale& network, const LayerWeights& weights, const MapLayout& layout,
                          const float* maps, const MapLayout& gradient_layout, float* gradients,
                          const LayerGradients& of_weights) {
  Backward(network, weights, layout, maps, gradient_layout, gradients).run();
  if (!of_weights.empty())
    WeightGradients(network, layout, maps, gradient_layout, gradients).add_to(of_weights);
}

}  // namespace lucivox::cpu
#endif
