#include <lucivox/kernels/cpu/convolution.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/convolution.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/arrival-inl.h>
#include <lucivox/kernels/cpu/reading-inl.h>
#include <lucivox/kernels/cpu/scratch.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// 12 tiles are two register tiles of rows; their matrices and those of the weights together fill a
// second-level cache of 512 kB at DDNet's widths.
constexpr int64_t kTiles = 12;
// Pixels that a direct convolution computes at once, out of a first-level cache.
constexpr int64_t kRun = 48;

// What becomes of the outputs of one vector of channels: put() each, then finish().
class RespondingChannels {
 public:
  RespondingChannels(const Response& response, const Pixels<float>& y, double* sums, int64_t c,
                     int64_t channels)
      : y_(y.data + c),
        stride_(y.stride),
        channels_(channels),
        bias_(load(response.bias + c, channels)),
        slope_(hn::Set(Floats(), response.slope)),
        origin_(load(response.origin + c, channels)),
        sums_(sums + c),
        squares_(sums + y.channels + c) {}

  HWY_INLINE void put(int64_t pixel, Vector value) {
    const auto z = hn::Add(value, bias_);
    const auto y = hn::IfThenElse(hn::Gt(z, hn::Zero(Floats())), z, hn::Mul(z, slope_));
    store(y, y_ + pixel * stride_, channels_);
    const auto difference = hn::Sub(y, origin_);
    sum_ = hn::Add(sum_, difference);
    square_ = hn::MulAdd(difference, difference, square_);
  }

  void finish() {
    HWY_ALIGN float sum[hn::MaxLanes(Floats())], square[hn::MaxLanes(Floats())];
    hn::Store(sum_, Floats(), sum);
    hn::Store(square_, Floats(), square);
    for (int64_t i = 0; i < channels_; ++i) {
      sums_[i] += static_cast<double>(sum[i]);
      squares_[i] += static_cast<double>(square[i]);
    }
  }

 private:
  float* y_;
  int64_t stride_, channels_;
  Vector bias_, slope_, origin_;
  double *sums_, *squares_;
  Vector sum_ = hn::Zero(Floats()), square_ = hn::Zero(Floats());
};

class GradientChannels {
 public:
  GradientChannels(const InputGradient& g, const Pixels<float>& dx, int64_t c, int64_t channels)
      : to_(g.arrival, dx, c, channels),
        mean_(load(g.mean + c, channels)),
        from_dn_(load(g.from_dn + c, channels)),
        from_x_(load(g.from_x + c, channels)),
        shift_(load(g.shift + c, channels)) {}

  HWY_INLINE void put(int64_t pixel, Vector dn) {
    const auto x = to_.x(pixel);
    to_.put(pixel, x, hn::MulAdd(from_dn_, dn, hn::MulAdd(from_x_, hn::Sub(x, mean_), shift_)));
  }

  void finish() {}

 private:
  ArrivingChannels to_;
  Vector mean_, from_dn_, from_x_, shift_;
};

// The outputs of `count` tiles from their 64 products.
template <typename Outputs>
void transform_outputs(const PointMatrices& m, const Pixels<const float>& x, int64_t out, int64_t first,
                       int64_t count, const Outputs& outputs_of) {
  over_vectors(out, [&](int64_t c, int64_t channels) {
    auto channel = outputs_of(c, channels);
    for (int64_t t = 0; t < count; ++t) {
      const Tile tile = tile_at(x, first + t);
      const int64_t corner = (tile.n * x.rows + tile.y) * x.columns + tile.x, height = x.rows - tile.y,
                    width = x.columns - tile.x;
      both_sides<kIn, kOut>(
          outputs, [&](int64_t i, int64_t j) { return hn::LoadU(Floats(), m.row(i * kIn + j, t) + c); },
          [&](int64_t i, int64_t j, Vector value) {
            if (i < height && j < width) channel.put(corner + i * x.columns + j, value);
          });
    }
    channel.finish();
  });
}

// Blocks [first, last) of kTiles tiles; `points` are the weights' 64 matrices [in][whole_vectors(out)].
template <typename Outputs>
void winograd_blocks(const Pixels<const float>& x, const Normalisation& norm, const float* points,
                     int64_t out, int64_t first, int64_t last, const Outputs& outputs_of) {
  const int64_t columns = whole_vectors(out), tiles = tile_count(x);
  const size_t v_floats = PointMatrices::floats(kTiles, x.channels);
  float* scratch = thread_scratch<Scratch::Blocks>(v_floats + PointMatrices::floats(kTiles, columns));
  const PointMatrices v{scratch, kTiles, x.channels}, m{scratch + v_floats, kTiles, columns};
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t tile = block * kTiles, count = std::min(kTiles, tiles - tile);
      transform_inputs<typename decltype(reader)::type>(x, norm, tile, count, v);
      for (int64_t p = 0; p < kPoints; ++p) {
        multiply({v.row(p, 0), x.channels, x.channels, 1, 0}, count, points + p * x.channels * columns,
                 columns, m.row(p, 0));
      }
      transform_outputs(m, x, out, tile, count, outputs_of);
    }
  });
}

// Blocks [first, last) of runs of kRun pixels; `weight` is [kernel][kernel][in][whole_vectors(out)].
template <typename Outputs>
void direct_blocks(const Pixels<const float>& x, const Normalisation& norm, const float* weight,
                   int64_t kernel, int64_t out, int64_t first, int64_t last, const Outputs& outputs_of) {
  const int64_t columns = whole_vectors(out), width = kRun + kernel - 1, runs = (x.columns + kRun - 1) / kRun;
  const auto row_floats = static_cast<size_t>(kernel * width * x.channels);
  float* rows = thread_scratch<Scratch::Blocks>(row_floats + static_cast<size_t>(kRun * columns));
  float* products = rows + row_floats;
  with_reader(norm, [&](auto reader) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t row = block / runs, begin = block % runs * kRun, end = std::min(begin + kRun, x.columns),
                    pixels = end - begin;
      gather_rows<typename decltype(reader)::type>(x, norm, kernel, row / x.rows, row % x.rows, begin, end,
                                                   rows);
      const Rows a{rows, x.channels, kernel * x.channels, kernel, (pixels + kernel - 1) * x.channels};
      multiply(a, pixels, weight, columns, products);
      over_vectors(out, [&](int64_t c, int64_t channels) {
        auto channel = outputs_of(c, channels);
        for (int64_t p = 0; p < pixels; ++p)
          channel.put(row * x.columns + begin + p, hn::LoadU(Floats(), products + p * columns + c));
        channel.finish();
      });
    }
  });
}

// The weights as blocks read them, [..][in][whole_vectors(out)].
int64_t padded(int64_t out) {
  return whole_vectors(out);
}

// G w G' of input channels [first, last).
void transform_weights(const Filters& f, int64_t first, int64_t last, float* points) {
  const int64_t columns = whole_vectors(f.out);
  for (int64_t i = first; i < last; ++i) {
    over_vectors(f.out, [&](int64_t o, int64_t channels) {
      both_sides<kTap, kIn>(
          to_points,
          [&](int64_t y, int64_t x) {
            return load(f.weight + ((y * kTap + x) * f.in + i) * f.out + o, channels);
          },
          [&](int64_t y, int64_t x, Vector value) {
            hn::StoreU(value, Floats(), points + ((y * kIn + x) * f.in + i) * columns + o);
          });
    });
  }
}

int64_t block_count(const Pixels<const float>& x, bool winograd) {
  return winograd ? (tile_count(x) + kTiles - 1) / kTiles
                  : x.images * x.rows * ((x.columns + kRun - 1) / kRun);
}

// One share of the blocks; its sums are [2][out].
void respond(const Pixels<const float>& x, const Normalisation& norm, const Filters& f, bool winograd,
             const Response& response, const Pixels<float>& y, int64_t first, int64_t last, double* sums) {
  const auto outputs_of = [&](int64_t c, int64_t channels) {
    return RespondingChannels(response, y, sums, c, channels);
  };
  if (winograd) {
    winograd_blocks(x, norm, f.weight, f.out, first, last, outputs_of);
  } else {
    direct_blocks(x, norm, f.weight, f.kernel, f.out, first, last, outputs_of);
  }
}

void propagate(const Pixels<const float>& dy, const Filters& f, bool winograd, const InputGradient& gradient,
               const Pixels<float>& dx, int64_t first, int64_t last) {
  const auto outputs_of = [&](int64_t c, int64_t channels) {
    return GradientChannels(gradient, dx, c, channels);
  };
  if (winograd) {
    winograd_blocks(dy, {}, f.weight, f.out, first, last, outputs_of);
  } else {
    direct_blocks(dy, {}, f.weight, f.kernel, f.out, first, last, outputs_of);
  }
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(padded);
HWY_EXPORT(transform_weights);
HWY_EXPORT(block_count);
HWY_EXPORT(respond);
HWY_EXPORT(propagate);

namespace {

constexpr int64_t kKernel = 5, kPointsOfTile = 64;
// Shares of the blocks, each with its own sums; more than any machine's threads deserve here, so that shares
// stay even.
constexpr int64_t kShares = 64;

// Narrower layers do not repay the transforms.
bool suits_winograd(const Filters& f) {
  return f.kernel == kKernel && f.in >= 8 && f.out >= 8;
}

// The weights as the blocks read them.
class Prepared {
 public:
  explicit Prepared(const Filters& f) : winograd_(suits_winograd(f)), filters_(f) {
    const int64_t columns = HWY_DYNAMIC_DISPATCH(padded)(f.out), taps = f.kernel * f.kernel;
    weights_ =
        hwy::AllocateAligned<float>(static_cast<size_t>((winograd_ ? kPointsOfTile : taps) * f.in * columns));
    if (winograd_) {
      parallel_for(0, f.in, [&](int64_t i) {
        HWY_DYNAMIC_DISPATCH(transform_weights)(f, i, i + 1, weights_.get());
      });
    } else {
      for (int64_t row = 0; row < taps * f.in; ++row) {
        float* to = std::copy_n(f.weight + row * f.out, f.out, weights_.get() + row * columns);
        std::fill_n(to, columns - f.out, 0.0F);
      }
    }
    filters_.weight = weights_.get();
  }

  bool winograd() const { return winograd_; }
  const Filters& filters() const { return filters_; }

 private:
  bool winograd_;
  Filters filters_;
  hwy::AlignedFreeUniquePtr<float[]> weights_;
};

template <typename Body>
void over_shares(int64_t blocks, const Body& body) {
  parallel_for(0, kShares, [&](int64_t share) {
    const int64_t first = blocks * share / kShares, last = blocks * (share + 1) / kShares;
    if (first < last) body(share, first, last);
  });
}

}  // namespace

void convolution(const Pixels<const float>& image, const Normalisation& norm, const Filters& filters,
                 const Response& response, const Pixels<float>& y) {
  const Prepared weights(filters);
  const Pixels<const float> x = filters.kernel == 1 ? in_one_row(image) : image;
  const auto out = static_cast<size_t>(filters.out);
  std::vector<double> partial(kShares * 2 * out);
  over_shares(HWY_DYNAMIC_DISPATCH(block_count)(x, weights.winograd()),
              [&](int64_t share, int64_t first, int64_t last) {
                HWY_DYNAMIC_DISPATCH(respond)
                (x, norm, weights.filters(), weights.winograd(), response, y, first, last,
                 partial.data() + static_cast<size_t>(share) * 2 * out);
              });
  std::fill_n(response.sums, out, 0.0);
  std::fill_n(response.squares, out, 0.0);
  for (size_t share = 0; share < static_cast<size_t>(kShares); ++share) {
    for (size_t o = 0; o < out; ++o) {
      response.sums[o] += partial[share * 2 * out + o];
      response.squares[o] += partial[(share * 2 + 1) * out + o];
    }
  }
}

void convolution_gradient(const Pixels<const float>& gradient_image, const Filters& filters,
                          const InputGradient& gradient, const Pixels<float>& dx) {
  const Prepared weights(filters);
  const Pixels<const float> dy = filters.kernel == 1 ? in_one_row(gradient_image) : gradient_image;
  over_shares(HWY_DYNAMIC_DISPATCH(block_count)(dy, weights.winograd()),
              [&](int64_t, int64_t first, int64_t last) {
                HWY_DYNAMIC_DISPATCH(propagate)
                (dy, weights.filters(), weights.winograd(), gradient, dx, first, last);
              });
}

}  // namespace lucivox::cpu
#endif
