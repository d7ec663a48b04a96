#include <lucivox/kernels/cpu/convolution.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/convolution.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/arrival-inl.h>
#include <lucivox/kernels/cpu/passes.h>
#include <lucivox/kernels/cpu/reading-inl.h>
#include <lucivox/kernels/cpu/scratch.h>
#include <lucivox/kernels/cpu/winograd.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// 12 tiles are two register tiles of rows; their matrices and those of the weights together fill a
// second-level cache of 512 kB at DDNet's widths.
constexpr int64_t kTiles = 12;
// Pixels that a direct convolution computes at once, out of a first-level cache.
constexpr int64_t kRun = 48;

// As many tiles as wide layers keep, and as many outputs as they compute of these at once.
constexpr int64_t kWideTiles = 96, kWideColumns = 32;

inline bool winograd(const Filters& f) {
  return suits_winograd(f.kernel, f.stride, f.in, f.out);
}

// What becomes of the outputs of one vector of channels: put() each, then finish().
template <typename Width>
class RespondingChannels {
 public:
  RespondingChannels(const Response& response, const Pixels<float>& y, double* sums, int64_t c, Width width)
      : y_(y.data + c),
        stride_(y.stride),
        width_(width),
        bias_(load(response.bias + c, width)),
        slope_(hn::Set(Floats(), response.slope)),
        origin_(load(response.origin + c, width)),
        sums_(sums + c),
        squares_(sums + y.channels + c) {}

  HWY_INLINE void put(int64_t pixel, Vector value) {
    const auto z = hn::Add(value, bias_);
    const auto y = hn::IfThenElse(hn::Gt(z, hn::Zero(Floats())), z, hn::Mul(z, slope_));
    store(y, y_ + pixel * stride_, width_);
    const auto difference = hn::Sub(y, origin_);
    sum_ = hn::Add(sum_, difference);
    square_ = hn::MulAdd(difference, difference, square_);
  }

  void finish() {
    HWY_ALIGN float sum[hn::MaxLanes(Floats())], square[hn::MaxLanes(Floats())];
    hn::Store(sum_, Floats(), sum);
    hn::Store(square_, Floats(), square);
    for (int64_t i = 0; i < lanes_of(width_); ++i) {
      sums_[i] += static_cast<double>(sum[i]);
      squares_[i] += static_cast<double>(square[i]);
    }
  }

 private:
  float* y_;
  int64_t stride_;
  Width width_;
  Vector bias_, slope_, origin_;
  double *sums_, *squares_;
  Vector sum_ = hn::Zero(Floats()), square_ = hn::Zero(Floats());
};

template <typename Width>
class GradientChannels {
 public:
  GradientChannels(const InputGradient& g, const Pixels<float>& dx, int64_t c, Width width)
      : to_(g.arrival, dx, c, width),
        mean_(load(g.mean + c, width)),
        from_dn_(load(g.from_dn + c, width)),
        from_x_(load(g.from_x + c, width)),
        shift_(load(g.shift + c, width)) {}

  HWY_INLINE void put(int64_t pixel, Vector dn) {
    const auto x = to_.x(pixel);
    to_.put(pixel, x, hn::MulAdd(from_dn_, dn, hn::MulAdd(from_x_, hn::Sub(x, mean_), shift_)));
  }

  void finish() {}

 private:
  ArrivingChannels<Width> to_;
  Vector mean_, from_dn_, from_x_, shift_;
};

// The outputs of `count` tiles from their 64 products, of one panel of channels from `begin` to `end`.
template <int Taps, typename Outputs>
void transform_outputs(const PointMatrices& m, const Pixels<const float>& x, int64_t begin, int64_t end,
                       int64_t first, int64_t count, const Outputs& outputs_of) {
  const int64_t point_stride = m.point_stride();
  for (int64_t t = 0; t < count; ++t) {
    const Tile tile = tile_at(x, kOutputs<Taps>, first + t);
    const int64_t corner = (tile.n * x.rows + tile.y) * x.columns + tile.x, below = x.rows - tile.y,
                  right = x.columns - tile.x;
    over_vectors(end - begin, [&](int64_t c, auto width) {
      const float* from = m.row(0, t) + c;
      auto channel = outputs_of(begin + c, width);
      both_sides<kIn, kOutputs<Taps>>(
          sums_over_points<kOutputs<Taps>>,
          [=](int64_t i, int64_t j) { return hn::LoadU(Floats(), from + (i * kIn + j) * point_stride); },
          [&](int64_t i, int64_t j, Vector value) {
            if (i < below && j < right) channel.put(corner + i * x.columns + j, value);
          });
      channel.finish();
    });
  }
}

// How many rows the matrix of a point takes: one is spare, so that different points lie in different sets of
// a cache.
inline int64_t rows_of_point(int64_t in) {
  return in + 1;
}

// Blocks [first, last) of kTiles tiles. All points of a panel go through a second-level cache before the next
// panel's.
template <int Taps, typename Outputs>
void winograd_blocks(const Pixels<const float>& x, const Normalisation& norm,
                     const Panels<const float>& points, int64_t out, int64_t first, int64_t last,
                     const Outputs& outputs_of) {
  const int64_t in = x.channels, widest = std::min(points.columns, points.width()),
                tiles = tile_count(x, kOutputs<Taps>);
  const size_t v_floats = PointMatrices::floats(kTiles, in);
  float* scratch = thread_scratch<Scratch::Blocks>(v_floats + PointMatrices::floats(kTiles, widest));
  const PointMatrices v{scratch, kTiles, in}, m{scratch + v_floats, kTiles, widest};
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t tile = block * kTiles, count = std::min(kTiles, tiles - tile);
      transform_inputs<decltype(reader), Taps>(x, norm, tile, count, v);
      points.each([&](int64_t begin, int64_t columns) {
        for (int64_t p = 0; p < kPoints; ++p)
          multiply({v.row(p, 0), in, in, 1, 0}, count, points.at(p * rows_of_point(in), begin), columns,
                   m.row(p, 0), widest);
        transform_outputs<Taps>(m, x, begin, std::min(begin + columns, out), tile, count, outputs_of);
      });
    }
  });
}

// What `pixels` outputs of a row from `begin` on read, as the left factor of a product: the rows of x around
// them behind each other in `scratch`, or, where a single tap reads x as it is, x itself.
template <typename Reader>
Rows rows_of_run(const Pixels<const float>& x, const Normalisation& norm, const Pass& pass, int64_t row,
                 int64_t begin, int64_t pixels, float* scratch) {
  const Axis &down = pass.down, &across = pass.across;
  const int64_t n = row / down.outputs, top = row % down.outputs * down.stride - down.before,
                left = begin * across.stride - across.before;
  if constexpr (std::is_same_v<Reader, AsItIs>) {
    if (is_single_tap(pass)) return {x.at(n, top, left), across.stride * x.stride, x.channels, 1, 0};
  }
  const Rectangle from{n, top, left, down.taps, inputs_of(across, pixels)};
  gather<Reader>(x, norm, from, scratch);
  return {scratch, across.stride * x.channels, across.taps * x.channels, down.taps,
          from.columns * x.channels};
}

int64_t runs_of(const Pass& pass) {
  return (pass.across.outputs + kRun - 1) / kRun;
}

// Blocks [first, last) of runs of kRun outputs of `pass`, whose image has image_rows and image_columns; the
// rows of `weights` are [taps down][taps across][in].
template <typename Outputs>
void direct_blocks(const Pixels<const float>& x, const Normalisation& norm, const Pass& pass,
                   const Panels<const float>& weights, int64_t out, int64_t image_rows, int64_t image_columns,
                   int64_t first, int64_t last, const Outputs& outputs_of) {
  const Axis &down = pass.down, &across = pass.across;
  const int64_t columns = weights.columns, runs = runs_of(pass), step = across.step;
  const auto row_floats = static_cast<size_t>(down.taps * inputs_of(across, kRun) * x.channels);
  float* scratch = thread_scratch<Scratch::Blocks>(row_floats + static_cast<size_t>(kRun * columns));
  float* products = scratch + row_floats;
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t row = block / runs, begin = block % runs * kRun,
                    pixels = std::min(kRun, across.outputs - begin), n = row / down.outputs,
                    y = down.first + row % down.outputs * down.step,
                    corner = (n * image_rows + y) * image_columns + across.first + begin * across.step;
      const Rows rows = rows_of_run<decltype(reader)>(x, norm, pass, row, begin, pixels, scratch);
      weights.each([&](int64_t c, int64_t width) {
        multiply(rows, pixels, weights.at(0, c), width, products + c, columns);
      });
      over_vectors(out, [&](int64_t c, auto width) {
        auto channel = outputs_of(c, width);
        for (int64_t p = 0, pixel = corner; p < pixels; ++p, pixel += step)
          channel.put(pixel, hn::LoadU(Floats(), products + p * columns + c));
        channel.finish();
      });
    }
  });
}

int64_t rows_of_weights(const Filters& f, const Pass& pass) {
  return winograd(f) ? kPoints * rows_of_point(f.in) : pass.down.taps * pass.across.taps * f.in;
}

// How many floats the weights of a pass take as blocks read them.
int64_t arranged_floats(const Filters& f, const Pass& pass) {
  return rows_of_weights(f, pass) * whole_vectors(f.out);
}

template <typename Width>
HWY_INLINE Vector load_strided(const float* from, int64_t step, Width width) {
  HWY_ALIGN float lanes[hn::MaxLanes(Floats())] = {};
  for (int64_t i = 0; i < lanes_of(width); ++i) lanes[i] = from[i * step];
  return hn::Load(Floats(), lanes);
}

// Input channel i of the weights, outputs from `begin` to `end`, in panels of the latter.
void arrange_weights(const Filters& f, const Pass& pass, int64_t i, int64_t begin, int64_t end,
                     float* arranged) {
  const Axis &down = pass.down, &across = pass.across;
  const Panels<float> to{arranged, rows_of_weights(f, pass), whole_vectors(end - begin)};
  over_vectors(end - begin, [&](int64_t o, auto width) {
    const auto tap = [&](int64_t y, int64_t x) {
      return load_strided(f.weight + f.at(y * f.kernel + x, i, begin + o), f.out_step, width);
    };
    if (winograd(f)) {
      with_taps(f.kernel, [&](auto taps) {
        both_sides<taps(), kIn>(to_points<taps()>, tap, [&](int64_t y, int64_t x, Vector value) {
          hn::StoreU(value, Floats(), to.at((y * kIn + x) * rows_of_point(f.in) + i, o));
        });
      });
    } else {
      for (int64_t y = 0; y < down.taps; ++y) {
        for (int64_t x = 0; x < across.taps; ++x) {
          const auto value = tap(down.first_tap + y * down.tap_step, across.first_tap + x * across.tap_step);
          hn::StoreU(value, Floats(), to.at((y * across.taps + x) * f.in + i, o));
        }
      }
    }
  });
}

// Winograd's algorithm where the matrices of the weights are larger than those of the image: these wait, many
// tiles at a time, and those of a few outputs are made, meet all of them, and go.
template <int Taps, typename Outputs>
void wide_winograd(const Pixels<const float>& x, const Normalisation& norm, const Filters& f,
                   const Pass& pass, const Outputs& outputs_of) {
  const int64_t in = f.in, tiles = tile_count(x, kOutputs<Taps>), row = rows_of_point(in);
  const PointMatrices v{thread_scratch<Scratch::Shared>(PointMatrices::floats(kWideTiles, in)), kWideTiles,
                        in};
  for (int64_t first = 0; first < tiles; first += kWideTiles) {
    const int64_t count = std::min(kWideTiles, tiles - first);
    parallel_for(0, count, [&](int64_t tile) {
      with_reader(norm, [&](auto reader) {
        transform_inputs<decltype(reader), Taps>(x, norm, first + tile, 1, v.from(tile));
      });
    });
    parallel_for(0, (f.out + kWideColumns - 1) / kWideColumns, [&](int64_t group) {
      const int64_t begin = group * kWideColumns, end = std::min(begin + kWideColumns, f.out),
                    columns = whole_vectors(end - begin), u_floats = rows_of_weights(f, pass) * columns;
      float* scratch = thread_scratch<Scratch::Blocks>(static_cast<size_t>(u_floats) +
                                                       PointMatrices::floats(count, columns));
      for (int64_t i = 0; i < in; ++i) arrange_weights(f, pass, i, begin, end, scratch);
      const Panels<const float> u{scratch, rows_of_weights(f, pass), columns};
      const PointMatrices m{scratch + u_floats, count, columns};
      for (int64_t p = 0; p < kPoints; ++p) {
        u.each([&](int64_t c, int64_t width) {
          multiply({v.row(p, 0), in, in, 1, 0}, count, u.at(p * row, c), width, m.row(p, 0) + c, columns);
        });
      }
      transform_outputs<Taps>(m, x, begin, end, first, count, outputs_of);
    });
  }
}

void respond_wide(const Pixels<const float>& x, const Normalisation& norm, const Filters& f, const Pass& pass,
                  const Response& response, const Pixels<float>& y, double* sums) {
  with_taps(f.kernel, [&](auto taps) {
    wide_winograd<taps()>(x, norm, f, pass, [&](int64_t c, auto width) {
      return RespondingChannels<decltype(width)>(response, y, sums, c, width);
    });
  });
}

void propagate_wide(const Pixels<const float>& dy, const Filters& f, const Pass& pass,
                    const InputGradient& gradient, const Pixels<float>& dx) {
  with_taps(f.kernel, [&](auto taps) {
    wide_winograd<taps()>(dy, {}, f, pass, [&](int64_t c, auto width) {
      return GradientChannels<decltype(width)>(gradient, dx, c, width);
    });
  });
}

int64_t block_count(const Pixels<const float>& x, const Filters& f, const Pass& pass) {
  return winograd(f) ? (tile_count(x, kIn + 1 - f.kernel) + kTiles - 1) / kTiles
                     : x.images * pass.down.outputs * runs_of(pass);
}

// Blocks [first, last) of either kind, of outputs in an image like `y`; the weights of `f` are arranged.
template <typename Outputs>
void blocks(const Pixels<const float>& x, const Normalisation& norm, const Filters& f, const Pass& pass,
            const Pixels<float>& y, int64_t first, int64_t last, const Outputs& outputs_of) {
  const Panels<const float> weights{f.weight, rows_of_weights(f, pass), whole_vectors(f.out)};
  if (winograd(f)) {
    with_taps(f.kernel,
              [&](auto taps) { winograd_blocks<taps()>(x, norm, weights, f.out, first, last, outputs_of); });
  } else {
    direct_blocks(x, norm, pass, weights, f.out, y.rows, y.columns, first, last, outputs_of);
  }
}

// One share of the blocks; its sums are [2][out].
void respond(const Pixels<const float>& x, const Normalisation& norm, const Filters& f, const Pass& pass,
             const Response& response, const Pixels<float>& y, int64_t first, int64_t last, double* sums) {
  blocks(x, norm, f, pass, y, first, last, [&](int64_t c, auto width) {
    return RespondingChannels<decltype(width)>(response, y, sums, c, width);
  });
}

void propagate(const Pixels<const float>& dy, const Filters& f, const Pass& pass,
               const InputGradient& gradient, const Pixels<float>& dx, int64_t first, int64_t last) {
  blocks(dy, {}, f, pass, dx, first, last,
         [&](int64_t c, auto width) { return GradientChannels<decltype(width)>(gradient, dx, c, width); });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(arranged_floats);
HWY_EXPORT(arrange_weights);
HWY_EXPORT(block_count);
HWY_EXPORT(respond);
HWY_EXPORT(propagate);
HWY_EXPORT(respond_wide);
HWY_EXPORT(propagate_wide);

namespace {

// Shares of the blocks, each with its own sums; more than any machine's threads deserve here, so that shares
// stay even.
constexpr int64_t kShares = 64;

// From here on the matrices that Winograd's algorithm makes of the weights, 16 MB and more, are far larger
// than what it makes of a block of tiles.
constexpr int64_t kWideWeights = 1 << 16;

bool is_wide(const Filters& f) {
  return suits_winograd(f.kernel, f.stride, f.in, f.out) && f.in * f.out >= kWideWeights;
}

// The weights as the blocks of a pass read them, in the scratch that this thread shares with its helpers.
class Arranged {
 public:
  Arranged(const Filters& f, const Pass& pass) : filters_(f) {
    const int64_t floats = HWY_DYNAMIC_DISPATCH(arranged_floats)(f, pass);
    if (floats == 0) return;  // a phase that no tap reaches
    float* weights = thread_scratch<Scratch::Shared>(static_cast<size_t>(floats));
    parallel_for(0, f.in, [&](int64_t i) {
      HWY_DYNAMIC_DISPATCH(arrange_weights)(f, pass, i, 0, f.out, weights);
    });
    filters_.weight = weights;
  }

  const Filters& filters() const { return filters_; }

 private:
  Filters filters_;
};

// A 1x1 kernel that skips no pixels knows no rows: one long row gives the longest runs.
template <typename Float>
Pixels<Float> image_for(const Filters& f, const Pixels<Float>& image) {
  return f.kernel == 1 && f.stride == 1 ? in_one_row(image) : image;
}

template <typename Body>
void over_shares(int64_t blocks, const Body& body) {
  parallel_for(0, kShares, [&](int64_t share) {
    const int64_t first = blocks * share / kShares, last = blocks * (share + 1) / kShares;
    if (first < last) body(share, first, last);
  });
}

}  // namespace

void convolution(const Pixels<const float>& input, const Normalisation& norm, const Filters& filters,
                 const Response& response, const Pixels<float>& output) {
  const Pixels<const float> x = image_for(filters, input);
  const Pixels<float> y = image_for(filters, output);
  const Pass pass{strided_axis(filters.kernel, filters.stride, x.rows),
                  strided_axis(filters.kernel, filters.stride, x.columns)};
  const auto out = static_cast<size_t>(filters.out);
  std::vector<double> partial(kShares * 2 * out);
  if (is_wide(filters)) {
    HWY_DYNAMIC_DISPATCH(respond_wide)(x, norm, filters, pass, response, y, partial.data());
  } else {
    const Arranged weights(filters, pass);
    over_shares(HWY_DYNAMIC_DISPATCH(block_count)(x, filters, pass),
                [&](int64_t share, int64_t first, int64_t last) {
                  HWY_DYNAMIC_DISPATCH(respond)
                  (x, norm, weights.filters(), pass, response, y, first, last,
                   partial.data() + static_cast<size_t>(share) * 2 * out);
                });
  }
  std::fill_n(response.sums, out, 0.0);
  std::fill_n(response.squares, out, 0.0);
  for (size_t share = 0; share < static_cast<size_t>(kShares); ++share) {
    for (size_t o = 0; o < out; ++o) {
      response.sums[o] += partial[share * 2 * out + o];
      response.squares[o] += partial[(share * 2 + 1) * out + o];
    }
  }
}

void convolution_gradient(const Pixels<const float>& output_gradient, const Filters& forward,
                          const InputGradient& gradient, const Pixels<float>& input_gradient) {
  const Filters filters = forward.turned();
  const Pixels<const float> dy = image_for(filters, output_gradient);
  const Pixels<float> dx = image_for(filters, input_gradient);
  for (const Pass& pass : phases(filters.kernel, filters.stride, dx.rows, dx.columns)) {
    if (is_wide(filters)) {
      HWY_DYNAMIC_DISPATCH(propagate_wide)(dy, filters, pass, gradient, dx);
      continue;
    }
    const Arranged weights(filters, pass);
    over_shares(HWY_DYNAMIC_DISPATCH(block_count)(dy, filters, pass),
                [&](int64_t, int64_t first, int64_t last) {
                  HWY_DYNAMIC_DISPATCH(propagate)
                  (dy, weights.filters(), pass, gradient, dx, first, last);
                });
  }
}

}  // namespace lucivox::cpu
#endif
