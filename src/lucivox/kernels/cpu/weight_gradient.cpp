#include <lucivox/kernels/cpu/weight_gradient.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/weight_gradient.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/reading-inl.h>
#include <lucivox/kernels/cpu/scratch.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// Long enough that reading and writing the sums counts for little, short enough for the caches.
constexpr int64_t kTilesSummed = 24, kPixelsSummed = 64;

// A dY A' of `count` tiles from `first` on.
void transform_gradients(const Pixels<const float>& dy, int64_t first, int64_t count,
                         const PointMatrices& m) {
  over_vectors(dy.channels, [&](int64_t c, auto width) {
    const AsItIs::Channels<decltype(width)> reader({}, c, width);
    for (int64_t t = 0; t < count; ++t) {
      const Tile tile = tile_at(dy, first + t);
      read_square(dy, reader, tile.n, tile.y, tile.x, kOut, c, [&](const auto& read) {
        both_sides<kOut, kIn>(output_points, read, [&](int64_t i, int64_t j, Vector value) {
          hn::StoreU(value, Floats(), m.row(i * kIn + j, t) + c);
        });
      });
    }
  });
}

// Adds blocks [first, last) of tiles to `sums`, the 64 matrices [in][whole_vectors(out)].
void add_tiles(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
               int64_t first, int64_t last, float* sums) {
  const int64_t columns = whole_vectors(dy.channels), tiles = tile_count(x);
  const size_t v_floats = PointMatrices::floats(kTilesSummed, x.channels);
  float* scratch = thread_scratch<Scratch::Blocks>(v_floats + PointMatrices::floats(kTilesSummed, columns));
  const PointMatrices v{scratch, kTilesSummed, x.channels}, m{scratch + v_floats, kTilesSummed, columns};
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t tile = block * kTilesSummed, count = std::min(kTilesSummed, tiles - tile);
      transform_inputs<decltype(reader)>(x, norm, tile, count, v);
      transform_gradients(dy, tile, count, m);
      for (int64_t p = 0; p < kPoints; ++p) {
        add_outer(v.row(p, 0), x.channels, x.channels, m.row(p, 0), columns, count,
                  sums + p * x.channels * columns, columns);
      }
    }
  });
}

// Adds blocks [first, last) of runs of pixels to `sums`, [kernel][kernel][in][whole_vectors(out)].
void add_runs(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
              int64_t kernel, int64_t first, int64_t last, float* sums) {
  const int64_t columns = whole_vectors(dy.channels), gathered = kPixelsSummed + kernel - 1,
                runs = (x.columns + kPixelsSummed - 1) / kPixelsSummed;
  const auto row_floats = static_cast<size_t>(kernel * gathered * x.channels);
  float* rows = thread_scratch<Scratch::Blocks>(row_floats + static_cast<size_t>(kPixelsSummed * columns));
  float* gradients = rows + row_floats;
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t row = block / runs, n = row / x.rows, y = row % x.rows,
                    begin = block % runs * kPixelsSummed, end = std::min(begin + kPixelsSummed, x.columns),
                    pixels = end - begin;
      gather_rows<decltype(reader)>(x, norm, kernel, n, y, begin, end, rows);
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
        add_outer(rows + ky * (pixels + kernel - 1) * x.channels, x.channels, kernel * x.channels, dy_run,
                  dy_stride, pixels, sums + ky * kernel * x.channels * columns, columns);
      }
    }
  });
}

int64_t gradient_block_count(const Pixels<const float>& x, bool winograd) {
  return winograd ? (tile_count(x) + kTilesSummed - 1) / kTilesSummed
                  : x.images * x.rows * ((x.columns + kPixelsSummed - 1) / kPixelsSummed);
}

void add_blocks(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
                int64_t kernel, bool winograd, int64_t first, int64_t last, float* sums) {
  if (winograd) {
    add_tiles(x, norm, dy, first, last, sums);
  } else {
    add_runs(x, norm, dy, kernel, first, last, sums);
  }
}

// G' s G of the sums for input channel i.
void weights_from_points(const float* points, int64_t in, int64_t out, int64_t i, float* dw) {
  const int64_t columns = whole_vectors(out);
  over_vectors(out, [&](int64_t o, auto width) {
    both_sides<kIn, kTap>(
        from_points,
        [&](int64_t y, int64_t x) {
          return hn::LoadU(Floats(), points + ((y * kIn + x) * in + i) * columns + o);
        },
        [&](int64_t y, int64_t x, Vector value) {
          store(value, dw + ((y * kTap + x) * in + i) * out + o, width);
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

// Shares of the image, each with its own sums; 16 of DDNet's largest kernel are 4 MB.
constexpr int64_t kShares = 16;
constexpr int64_t kTapsOfWinograd = 5, kPointsOfTile = 64;

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

}  // namespace

void weight_gradient(const Pixels<const float>& image, const Normalisation& norm,
                     const Pixels<const float>& gradient, int64_t kernel, float* dw) {
  const Pixels<const float> x = kernel == 1 ? in_one_row(image) : image,
                            dy = kernel == 1 ? in_one_row(gradient) : gradient;
  const int64_t in = x.channels, out = dy.channels, columns = HWY_DYNAMIC_DISPATCH(padded_columns)(out);
  const bool winograd = kernel == kTapsOfWinograd && in >= 8 && out >= 8;
  const int64_t blocks = HWY_DYNAMIC_DISPATCH(gradient_block_count)(x, winograd),
                shares = std::min(kShares, blocks);
  const auto count = static_cast<size_t>((winograd ? kPointsOfTile : kernel * kernel) * in * columns);
  float* sums = thread_scratch<Scratch::Sums>(static_cast<size_t>(shares) * count);
  parallel_for(0, shares, [&](int64_t share) {
    float* mine = sums + static_cast<size_t>(share) * count;
    std::fill_n(mine, count, 0.0F);
    HWY_DYNAMIC_DISPATCH(add_blocks)
    (x, norm, dy, kernel, winograd, blocks * share / shares, blocks * (share + 1) / shares, mine);
  });
  add_up(sums, static_cast<size_t>(shares), count);
  if (winograd) {
    parallel_for(0, in, [&](int64_t i) { HWY_DYNAMIC_DISPATCH(weights_from_points)(sums, in, out, i, dw); });
  } else {
    for (int64_t row = 0; row < kernel * kernel * in; ++row)
      std::copy_n(sums + row * columns, out, dw + row * out);
  }
}

void tap_sums(const Pixels<const float>& dy, int64_t kernel, double* sums) {
  const int64_t half = kernel / 2, channels = dy.channels, rows = dy.images * dy.rows,
                shares = std::min(kShares, rows);
  const auto row_floats = static_cast<size_t>(kernel * channels),
             count = static_cast<size_t>(kernel) * row_floats;
  std::vector<double> partial(static_cast<size_t>(shares) * count);
  parallel_for(0, shares, [&](int64_t share) {
    std::vector<double> of_row(row_floats), edge(static_cast<size_t>(channels));
    double* mine = partial.data() + static_cast<size_t>(share) * count;
    for (int64_t row = rows * share / shares; row < rows * (share + 1) / shares; ++row) {
      const float* pixels = dy.at(row / dy.rows, row % dy.rows, 0);
      std::fill(edge.begin(), edge.end(), 0.0);
      HWY_DYNAMIC_DISPATCH(add_row)(dy, pixels, dy.columns, edge.data());
      for (int64_t kx = 0; kx < kernel; ++kx)
        std::copy_n(edge.data(), channels, of_row.data() + kx * channels);
      // a tap that looks left misses the first pixels, one that looks right the last
      for (int64_t kx = 0; kx < kernel; ++kx) {
        const int64_t missed = std::min(std::abs(kx - half), dy.columns),
                      begin = kx < half ? 0 : dy.columns - missed;
        std::fill(edge.begin(), edge.end(), 0.0);
        HWY_DYNAMIC_DISPATCH(add_row)(dy, pixels + begin * dy.stride, missed, edge.data());
        for (int64_t c = 0; c < channels; ++c)
          of_row[static_cast<size_t>(kx * channels + c)] -= edge[static_cast<size_t>(c)];
      }
      for (int64_t ky = 0; ky < kernel; ++ky) {
        const int64_t from = row % dy.rows + ky - half;
        if (from < 0 || from >= dy.rows) continue;
        for (size_t i = 0; i < row_floats; ++i) mine[static_cast<size_t>(ky) * row_floats + i] += of_row[i];
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
