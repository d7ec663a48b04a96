#include <lucivox/kernels/cpu/moments.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/moments.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/multiply-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// Adds the sums over `count` pixels of x - origin and of its square to sums[0 .. channels) and the channels
// after them.
void add_moments(const float* x, int64_t stride, int64_t count, int64_t channels, const float* origin,
                 double* sums) {
  const Floats d;
  HWY_ALIGN float sum_lanes[hn::MaxLanes(d)], square_lanes[hn::MaxLanes(d)];
  over_vectors(channels, [&](int64_t c, auto width) {
    const auto middle = load(origin + c, width);
    auto sum = hn::Zero(d), square = sum;
    for (int64_t p = 0; p < count; ++p) {
      const auto difference = hn::Sub(load(x + p * stride + c, width), middle);
      sum = hn::Add(sum, difference);
      square = hn::MulAdd(difference, difference, square);
    }
    hn::Store(sum, d, sum_lanes);
    hn::Store(square, d, square_lanes);
    for (int64_t i = 0; i < lanes_of(width); ++i) {
      sums[c + i] += static_cast<double>(sum_lanes[i]);
      sums[channels + c + i] += static_cast<double>(square_lanes[i]);
    }
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(add_moments);

namespace {

// Pixels that float sums run over: short enough to lose no more than about half a digit.
constexpr int64_t kBlock = 64;
// Shares of the pixels, each summed in order; more than any machine's threads deserve here, so that shares
// stay even.
constexpr int64_t kShares = 64;

// A value of every channel near its mean, so that squares of differences from it do not cancel: that of some
// pixels.
std::vector<float> rough_mean(const Pixels<const float>& x) {
  constexpr int64_t wanted = 256;
  const int64_t step = std::max<int64_t>(1, x.count() / wanted);
  std::vector<double> sum(static_cast<size_t>(x.channels));
  int64_t pixels = 0;
  for (int64_t p = 0; p < x.count(); p += step, ++pixels) {
    for (int64_t c = 0; c < x.channels; ++c)
      sum[static_cast<size_t>(c)] += static_cast<double>(x.data[p * x.stride + c]);
  }
  std::vector<float> mean;
  mean.reserve(sum.size());
  for (const double s : sum) mean.push_back(static_cast<float>(s / static_cast<double>(pixels)));
  return mean;
}

}  // namespace

void moments(const Pixels<const float>& x, double* mean, double* variance) {
  const std::vector<float> origin = rough_mean(x);
  const auto channels = static_cast<size_t>(x.channels);
  const int64_t blocks = (x.count() + kBlock - 1) / kBlock;
  std::vector<double> partial(static_cast<size_t>(kShares) * 2 * channels);
  parallel_for(0, kShares, [&](int64_t share) {
    for (int64_t block = blocks * share / kShares; block < blocks * (share + 1) / kShares; ++block) {
      const int64_t first = block * kBlock;
      HWY_DYNAMIC_DISPATCH(add_moments)
      (x.data + first * x.stride, x.stride, std::min(kBlock, x.count() - first), x.channels, origin.data(),
       partial.data() + static_cast<size_t>(share) * 2 * channels);
    }
  });
  const auto count = static_cast<double>(x.count());
  for (size_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0;
    for (size_t share = 0; share < static_cast<size_t>(kShares); ++share) {
      sum += partial[share * 2 * channels + c];
      square += partial[(share * 2 + 1) * channels + c];
    }
    const double offset = sum / count;
    mean[c] = static_cast<double>(origin[c]) + offset;
    variance[c] = std::max(0.0, square / count - offset * offset);
  }
}

}  // namespace lucivox::cpu
#endif
