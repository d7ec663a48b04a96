#include <lucivox/kernels/cpu/weight_gradient.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/weight_gradient.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/passes.h>
#include <lucivox/kernels/cpu/reading-inl.h>
#include <lucivox/kernels/cpu/scratch.h>
#include <lucivox/kernels/cpu/winograd.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// Long enough that reading and writing the sums counts for little, short enough for the caches.
constexpr int64_t kTilesSummed = 24, kPixelsSummed = 64;

// A dY A' of `count` tiles from `first` on.
template <int Taps>
void transform_gradients(const Pixels<const float>& dy, int64_t first, int64_t count,
                         const PointMatrices& m) {
  const int64_t point_stride = m.point_stride();
  over_vectors(dy.channels, [&](int64_t c, auto width) {
    const AsItIs::Channels<decltype(width)> reader({}, c, width);
    for (int64_t t = 0; t < count; ++t) {
      const Tile tile = tile_at(dy, kOutputs<Taps>, first + t);
      float* to = m.row(0, t) + c;
      read_square(dy, reader, tile.n, tile.y, tile.x, kOutputs<Taps>, c, [&](const auto& read) {
        both_sides<kOutputs<Taps>, kIn>(values_at_points<kOutputs<Taps>>, read,
                                        [=](int64_t i, int64_t j, Vector value) {
                                          hn::StoreU(value, Floats(), to + (i * kIn + j) * point_stride);
                                        });
      });
    }
  });
}

// Adds blocks [first, last) of tiles to `sums`, the 64 matrices [in][whole_vectors(out)].
template <int Taps>
void add_tiles(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
               int64_t first, int64_t last, float* sums) {
  const int64_t columns = whole_vectors(dy.channels), tiles = tile_count(x, kOutputs<Taps>);
  const size_t v_floats = PointMatrices::floats(kTilesSummed, x.channels);
  float* scratch = thread_scratch<Scratch::Blocks>(v_floats + PointMatrices::floats(kTilesSummed, columns));
  const PointMatrices v{scratch, kTilesSummed, x.channels}, m{scratch + v_floats, kTilesSummed, columns};
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t tile = block * kTilesSummed, count = std::min(kTilesSummed, tiles - tile);
      transform_inputs<decltype(reader), Taps>(x, norm, tile, count, v);
      transform_gradients<Taps>(dy, tile, count, m);
      for (int64_t p = 0; p < kPoints; ++p) {
        add_outer(v.row(p, 0), x.channels, x.channels, m.row(p, 0), columns, count,
                  sums + p * x.channels * columns, columns);
      }
    }
  });
}

// Adds blocks [first, last) of runs of dy's pixels to `sums`, [kernel][kernel][in][whole_vectors(out)].
void add_runs(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
              int64_t kernel, int64_t stride, int64_t first, int64_t last, float* sums) {
  const Axis across = strided_axis(kernel, stride, x.columns);
  const int64_t columns = whole_vectors(dy.channels), runs = (dy.columns + kPixelsSummed - 1) / kPixelsSummed;
  const auto row_floats = static_cast<size_t>(kernel * inputs_of(across, kPixelsSummed) * x.channels);
  float* rows = thread_scratch<Scratch::Blocks>(row_floats + static_cast<size_t>(kPixelsSummed * columns));
  float* gradients = rows + row_floats;
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t row = block / runs, n = row / dy.rows, y = row % dy.rows,
                    begin = block % runs * kPixelsSummed,
                    pixels = std::min(kPixelsSummed, dy.columns - begin);
      const Rectangle from{n, y * stride - kernel / 2, begin * stride - kernel / 2, kernel,
                           inputs_of(across, pixels)};
      gather<decltype(reader)>(x, norm, from, rows);
      const float* dy_run = dy.at(n, y, begin);
      int64_t dy_stride = dy.stride;
      if (columns > dy.channels) {  // filled up to whole vectors
        over_vectors(dy.channels, [&](int64_t c, auto width) {
          for (int64_t p = 0; p < pixels; ++p)
            hn::StoreU(load(dy_run + p * dy.stride + c, width), Floats(), gradients + p * columns + c);
        });
        dy_run = gradients;
        dy_stride = columns;
      }
      // the taps of one kernel row lie beside each other, as its pixels do
      for (int64_t ky = 0; ky < kernel; ++ky) {
        add_outer(rows + ky * from.columns * x.channels, stride * x.channels, kernel * x.channels, dy_run,
                  dy_stride, pixels, sums + ky * kernel * x.channels * columns, columns);
      }
    }
  });
}

int64_t gradient_block_count(const Pixels<const float>& dy, int64_t kernel, bool winograd) {
  return winograd ? (tile_count(dy, kIn + 1 - kernel) + kTilesSummed - 1) / kTilesSummed
                  : dy.images * dy.rows * ((dy.columns + kPixelsSummed - 1) / kPixelsSummed);
}

void add_blocks(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
                int64_t kernel, int64_t stride, bool winograd, int64_t first, int64_t last, float* sums) {
  if (winograd) {
    with_taps(kernel, [&](auto taps) { add_tiles<taps()>(x, norm, dy, first, last, sums); });
  } else {
    add_runs(x, norm, dy, kernel, stride, first, last, sums);
  }
}

// G' s G of one input channel's sums for each point, which lie point_stride floats apart; its weights' taps
// lie tap_stride apart.
void weights_from_points(const float* points, int64_t point_stride, int64_t kernel, int64_t out, float* dw,
                         int64_t tap_stride) {
  over_vectors(out, [&](int64_t o, auto width) {
    with_taps(kernel, [&](auto taps) {
      both_sides<kIn, taps()>(
          from_points<taps()>,
          [&](int64_t y, int64_t x) {
            return hn::LoadU(Floats(), points + (y * kIn + x) * point_stride + o);
          },
          [&](int64_t y, int64_t x, Vector value) {
            store(value, dw + (y * taps() + x) * tap_stride + o, width);
          });
    });
  });
}

int64_t padded_columns(int64_t out) {
  return whole_vectors(out);
}

// totals[o] += sum of `pixels` pixels of dy, in floats over short runs.
void add_row(const Pixels<const float>& dy, const float* row, int64_t pixels, double* totals) {
  HWY_ALIGN float lanes[hn::MaxLanes(Floats())];
  over_vectors(dy.channels, [&](int64_t c, auto width) {
    for (int64_t begin = 0; begin < pixels; begin += kPixelsSummed) {
      auto sum = hn::Zero(Floats());
      for (int64_t p = begin; p < std::min(begin + kPixelsSummed, pixels); ++p)
        sum = hn::Add(sum, load(row + p * dy.stride + c, width));
      hn::Store(sum, Floats(), lanes);
      for (int64_t i = 0; i < lanes_of(width); ++i) totals[c + i] += static_cast<double>(lanes[i]);
    }
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(gradient_block_count);
HWY_EXPORT(add_blocks);
HWY_EXPORT(weights_from_points);
HWY_EXPORT(padded_columns);
HWY_EXPORT(add_row);

namespace {

// Shares of the image, each with its own sums, which cost as much as adding some blocks to them: as many as
// together take 4 MB, 16 of DDNet's largest kernel, or as add several blocks each. In small images, which
// have few blocks, no share has fewer than the sums are worth.
constexpr int64_t kShares = 16, kSumsOfShares = 1 << 20, kBlocksOfShare = 8, kFewestBlocks = 3;
constexpr int64_t kPointsOfTile = 64;
// Weights of a slice of input channels. Their sums at 64 points, 1 MB, stay near the core from block to
// block; that every slice transforms dy again costs less than fetching more sums from further away.
constexpr int64_t kWeightsOfSlice = 4096;

// sums[0] += all the others, in their order.
void add_up(float* sums, size_t shares, size_t count) {
  constexpr int64_t kPieces = 16;
  parallel_for(0, kPieces, [&](int64_t piece) {
    const auto size = static_cast<int64_t>(count);
    for (size_t share = 1; share < shares; ++share) {
      for (int64_t i = size * piece / kPieces; i < size * (piece + 1) / kPieces; ++i)
        sums[static_cast<size_t>(i)] += sums[share * count + static_cast<size_t>(i)];
    }
  });
}

// sums[kx][o] of a row of dy, which taps read from rows of `inputs` pixels: all of it but the few pixels at
// its ends whose tap lies outside.
void sum_row(const Pixels<const float>& dy, const float* row, const Axis& across, int64_t inputs,
             std::vector<double>& sums) {
  const auto channels = static_cast<size_t>(dy.channels);
  std::vector<double> all(channels), missed(channels);
  HWY_DYNAMIC_DISPATCH(add_row)(dy, row, dy.columns, all.data());
  for (int64_t kx = 0; kx < across.taps; ++kx) {
    const auto [first, last] = outputs_of_tap(across, kx, inputs);
    std::fill(missed.begin(), missed.end(), 0.0);
    HWY_DYNAMIC_DISPATCH(add_row)(dy, row, first, missed.data());
    HWY_DYNAMIC_DISPATCH(add_row)(dy, row + last * dy.stride, dy.columns - last, missed.data());
    for (size_t c = 0; c < channels; ++c) sums[static_cast<size_t>(kx) * channels + c] = all[c] - missed[c];
  }
}

}  // namespace

void weight_gradient(const Pixels<const float>& image, const Normalisation& norm,
                     const Pixels<const float>& gradient, int64_t kernel, int64_t stride, float* dw) {
  const bool one_row = kernel == 1 && stride == 1;
  const Pixels<const float> x = one_row ? in_one_row(image) : image,
                            dy = one_row ? in_one_row(gradient) : gradient;
  const int64_t in = x.channels, out = dy.channels, columns = HWY_DYNAMIC_DISPATCH(padded_columns)(out);
  const bool winograd = suits_winograd(kernel, stride, in, out);
  const int64_t slice = winograd ? std::clamp<int64_t>(kWeightsOfSlice / columns, 1, in) : in,
                slices = (in + slice - 1) / slice, of_weight = winograd ? kPointsOfTile : kernel * kernel,
                blocks = HWY_DYNAMIC_DISPATCH(gradient_block_count)(dy, kernel, winograd),
                sums_of_share = of_weight * in * columns,
                shares =
                    std::clamp<int64_t>(std::max(kSumsOfShares / sums_of_share, blocks / kBlocksOfShare), 1,
                                        std::min(kShares, (blocks + kFewestBlocks - 1) / kFewestBlocks));
  const auto count = static_cast<size_t>(sums_of_share);
  float* sums = thread_scratch<Scratch::Shared>(static_cast<size_t>(shares) * count);
  parallel_for(0, shares * slices, [&](int64_t task) {
    const int64_t share = task / slices, first = task % slices * slice,
                  channels = std::min(slice, in - first);
    float* mine = sums + static_cast<size_t>(share) * count + first * of_weight * columns;
    std::fill_n(mine, of_weight * channels * columns, 0.0F);
    HWY_DYNAMIC_DISPATCH(add_blocks)
    (x.slice(first, channels), norm.from(first), dy, kernel, stride, winograd, blocks * share / shares,
     blocks * (share + 1) / shares, mine);
  });
  add_up(sums, static_cast<size_t>(shares), count);
  if (winograd) {
    parallel_for(0, in, [&](int64_t i) {
      const int64_t first = i / slice * slice, channels = std::min(slice, in - first);
      HWY_DYNAMIC_DISPATCH(weights_from_points)
      (sums + (first * kPointsOfTile + i - first) * columns, channels * columns, kernel, out, dw + i * out,
       in * out);
    });
  } else {
    for (int64_t row = 0; row < kernel * kernel * in; ++row)
      std::copy_n(sums + row * columns, out, dw + row * out);
  }
}

void tap_sums(const Pixels<const float>& x, const Pixels<const float>& dy, int64_t kernel, int64_t stride,
              double* sums) {
  const Axis down = strided_axis(kernel, stride, x.rows), across = strided_axis(kernel, stride, x.columns);
  const int64_t rows = dy.images * dy.rows, shares = std::min(kShares, rows);
  const auto row_sums = static_cast<size_t>(kernel * dy.channels),
             count = static_cast<size_t>(kernel) * row_sums;
  std::vector<double> partial(static_cast<size_t>(shares) * count);
  parallel_for(0, shares, [&](int64_t share) {
    std::vector<double> of_row(row_sums);
    double* mine = partial.data() + static_cast<size_t>(share) * count;
    for (int64_t row = rows * share / shares; row < rows * (share + 1) / shares; ++row) {
      const int64_t y = row % dy.rows;
      sum_row(dy, dy.at(row / dy.rows, y, 0), across, x.columns, of_row);
      for (int64_t ky = 0; ky < kernel; ++ky) {
        const auto [first, last] = outputs_of_tap(down, ky, x.rows);
        if (y < first || y >= last) continue;
        for (size_t i = 0; i < row_sums; ++i) mine[static_cast<size_t>(ky) * row_sums + i] += of_row[i];
      }
    }
  });
  std::fill_n(sums, count, 0.0);
  for (size_t share = 0; share < static_cast<size_t>(shares); ++share) {
    for (size_t i = 0; i < count; ++i) sums[i] += partial[share * count + i];
  }
}

}  // namespace lucivox::cpu
#endif
