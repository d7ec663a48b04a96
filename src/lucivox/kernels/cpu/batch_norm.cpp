#include <lucivox/kernels/cpu/batch_norm.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/batch_norm.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

// Calls body(tag, c) for channels c, c + 1, ... that a vector of `tag` holds: whole vectors first, then one
// by one, so that nothing beyond the last channel is touched.
template <typename Body>
void over_channels(int64_t channels, const Body& body) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) body(Floats(), c);
  for (; c < channels; ++c) body(hn::CappedTag<float, 1>(), c);
}

// sums[c] = sum over rows of (x - shift); squares[c] likewise of its square. `sums`, `squares`: [channels].
void block_moments(const float* x, int64_t rows, int64_t channels, const float* shift, float* sums,
                   float* squares) {
  over_channels(channels, [=](auto f, int64_t c) {
    const auto origin = hn::LoadU(f, shift + c);
    auto sum = hn::Zero(f), square = sum;
    for (int64_t r = 0; r < rows; ++r) {
      const auto d = hn::Sub(hn::LoadU(f, x + r * channels + c), origin);
      sum = hn::Add(sum, d);
      square = hn::MulAdd(d, d, square);
    }
    hn::StoreU(sum, f, sums + c);
    hn::StoreU(square, f, squares + c);
  });
}

// sums[c] = sum over rows of dy; products[c] of dy * (x - mean).
void block_products(const float* dy, const float* x, int64_t rows, int64_t channels, const float* mean,
                    float* sums, float* products) {
  over_channels(channels, [=](auto f, int64_t c) {
    const auto origin = hn::LoadU(f, mean + c);
    auto sum = hn::Zero(f), product = sum;
    for (int64_t r = 0; r < rows; ++r) {
      const auto gradient = hn::LoadU(f, dy + r * channels + c);
      sum = hn::Add(sum, gradient);
      product = hn::MulAdd(gradient, hn::Sub(hn::LoadU(f, x + r * channels + c), origin), product);
    }
    hn::StoreU(sum, f, sums + c);
    hn::StoreU(product, f, products + c);
  });
}

void block_normalise(const float* x, int64_t rows, int64_t channels, const float* mean, const float* scale,
                     const float* shift, float* y) {
  over_channels(channels, [=](auto f, int64_t c) {
    const auto m = hn::LoadU(f, mean + c), s = hn::LoadU(f, scale + c), b = hn::LoadU(f, shift + c);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = r * channels + c;
      hn::StoreU(hn::MulAdd(hn::Sub(hn::LoadU(f, x + i), m), s, b), f, y + i);
    }
  });
}

void block_input_gradient(const float* dy, const float* x, int64_t rows, int64_t channels, const float* mean,
                          const float* from_dy, const float* from_x, const float* shift, float* dx) {
  over_channels(channels, [=](auto f, int64_t c) {
    const auto m = hn::LoadU(f, mean + c), a = hn::LoadU(f, from_dy + c), b = hn::LoadU(f, from_x + c),
               s = hn::LoadU(f, shift + c);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = r * channels + c;
      hn::StoreU(hn::MulAdd(a, hn::LoadU(f, dy + i), hn::MulAdd(b, hn::Sub(hn::LoadU(f, x + i), m), s)), f,
                 dx + i);
    }
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(block_moments);
HWY_EXPORT(block_products);
HWY_EXPORT(block_normalise);
HWY_EXPORT(block_input_gradient);

namespace {

// Rows that float sums run over: short enough to stay in the first-level cache at 80 channels (20 kB), and to
// lose no more than about half a digit.
constexpr int64_t kBlock = 64;
// Shares of the rows, each summed in order; more than any machine's threads deserve here, so that shares stay
// even.
constexpr int64_t kShares = 64;

// body(begin, end, share) over kShares ranges of rows, each of whole blocks but the last.
template <typename Body>
void over_shares(const Activations& shape, const Body& body) {
  const int64_t blocks = (shape.rows + kBlock - 1) / kBlock;
  parallel_for(0, kShares, [&](int64_t share) {
    const int64_t begin = blocks * share / kShares * kBlock,
                  end = std::min(blocks * (share + 1) / kShares * kBlock, shape.rows);
    if (begin < end) body(begin, end, share);
  });
}

template <typename Body>
void over_blocks(int64_t begin, int64_t end, const Body& body) {
  for (int64_t row = begin; row < end; row += kBlock) body(row, std::min(kBlock, end - row));
}

// Two sums a channel, added up block by block within a share, then share by share.
// block(row, rows, a, b) gives those of one block.
template <typename Block>
void two_sums(const Activations& shape, double* first, double* second, const Block& block) {
  const auto channels = static_cast<size_t>(shape.channels);
  std::vector<double> partial(static_cast<size_t>(kShares) * 2 * channels);
  over_shares(shape, [&](int64_t begin, int64_t end, int64_t share) {
    std::vector<float> a(channels), b(channels);
    double* sums = partial.data() + static_cast<size_t>(share) * 2 * channels;
    over_blocks(begin, end, [&](int64_t row, int64_t rows) {
      block(row, rows, a.data(), b.data());
      for (size_t c = 0; c < channels; ++c) {
        sums[c] += static_cast<double>(a[c]);
        sums[channels + c] += static_cast<double>(b[c]);
      }
    });
  });
  std::fill_n(first, channels, 0.0);
  std::fill_n(second, channels, 0.0);
  for (size_t share = 0; share < static_cast<size_t>(kShares); ++share) {
    for (size_t c = 0; c < channels; ++c) {
      first[c] += partial[share * 2 * channels + c];
      second[c] += partial[(share * 2 + 1) * channels + c];
    }
  }
}

// A value of every channel near its mean, so that squares of differences from it do not cancel: that of some
// rows.
std::vector<float> rough_mean(const Activations& shape, const float* x) {
  constexpr int64_t wanted = 256;
  const int64_t step = std::max<int64_t>(1, shape.rows / wanted);
  std::vector<double> sum(static_cast<size_t>(shape.channels));
  int64_t rows = 0;
  for (int64_t r = 0; r < shape.rows; r += step, ++rows) {
    for (int64_t c = 0; c < shape.channels; ++c)
      sum[static_cast<size_t>(c)] += static_cast<double>(x[r * shape.channels + c]);
  }
  std::vector<float> mean;
  mean.reserve(sum.size());
  for (const double s : sum) mean.push_back(static_cast<float>(s / static_cast<double>(rows)));
  return mean;
}

}  // namespace

void batch_statistics(const Activations& shape, const float* x, double* mean, double* variance) {
  const std::vector<float> origin = rough_mean(shape, x);
  two_sums(shape, mean, variance, [&](int64_t row, int64_t rows, float* sums, float* squares) {
    HWY_DYNAMIC_DISPATCH(block_moments)
    (x + row * shape.channels, rows, shape.channels, origin.data(), sums, squares);
  });
  const auto count = static_cast<double>(shape.rows);
  for (int64_t c = 0; c < shape.channels; ++c) {
    const double offset = mean[c] / count;
    variance[c] = std::max(0.0, variance[c] / count - offset * offset);
    mean[c] = static_cast<double>(origin[static_cast<size_t>(c)]) + offset;
  }
}

void normalise(const Activations& shape, const float* x, const float* mean, const float* scale,
               const float* shift, float* y) {
  over_shares(shape, [&](int64_t begin, int64_t end, int64_t) {
    over_blocks(begin, end, [&](int64_t row, int64_t rows) {
      const int64_t at = row * shape.channels;
      HWY_DYNAMIC_DISPATCH(block_normalise)(x + at, rows, shape.channels, mean, scale, shift, y + at);
    });
  });
}

void gradient_sums(const Activations& shape, const float* dy, const float* x, const float* mean,
                   double* sum_dy, double* sum_dy_x) {
  two_sums(shape, sum_dy, sum_dy_x, [&](int64_t row, int64_t rows, float* sums, float* products) {
    const int64_t at = row * shape.channels;
    HWY_DYNAMIC_DISPATCH(block_products)(dy + at, x + at, rows, shape.channels, mean, sums, products);
  });
}

void input_gradient(const Activations& shape, const float* dy, const float* x, const float* mean,
                    const float* from_dy, const float* from_x, const float* shift, float* dx) {
  over_shares(shape, [&](int64_t begin, int64_t end, int64_t) {
    over_blocks(begin, end, [&](int64_t row, int64_t rows) {
      const int64_t at = row * shape.channels;
      HWY_DYNAMIC_DISPATCH(block_input_gradient)
      (dy + at, x + at, rows, shape.channels, mean, from_dy, from_x, shift, dx + at);
    });
  });
}

}  // namespace lucivox::cpu
#endif
