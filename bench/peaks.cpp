#include "peaks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peaks.cpp"
#include <algorithm>
#include <cstdint>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
// at most what one of the projectors' groups of slices fills
using Floats = hn::CappedTag<float, 16>;

// Does `rounds` rounds of fused multiply-adds; gives how many floats they were, and through `sum` a number
// that depends on all of them. Two a cycle that take 4 to 5 cycles each need ten independent ones; twelve and
// two constants fit into AVX2's 16 registers.
double fma_rounds(int64_t rounds, float* sum) {
  constexpr size_t independent = 12;
  const Floats f;
  const auto factor = hn::Set(f, 0.999F), addend = hn::Set(f, *sum);
  hn::Vec<Floats> values[independent];
  for (auto& value : values) value = addend;
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& value : values) value = hn::MulAdd(value, factor, addend);
  }
  for (size_t v = 1; v < independent; ++v) values[0] = hn::Add(values[0], values[v]);
  *sum = hn::GetLane(hn::SumOfLanes(f, values[0]));
  return static_cast<double>(rounds) * independent * static_cast<double>(hn::Lanes(f));
}

}  // namespace lucivox::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "worker.h"

namespace lucivox::bench {
HWY_EXPORT(fma_rounds);

namespace {

constexpr int kRuns = 9;

// The most that `work`, which gives an amount, does in a second.
template <typename Work>
double best_rate(const Work& work) {
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    double amount = 0;
    const double seconds = seconds_of([&] { amount = work(); });
    best = std::max(best, amount / seconds);
  }
  return best;
}

}  // namespace

double peak_fma_per_s() {
  constexpr int64_t rounds = 10'000'000;
  std::vector<float> sums(static_cast<size_t>(threads()), 1);
  std::vector<double> done(sums.size());
  return best_rate([&] {
    parallel_for(0, threads(), [&](int64_t t) {
      const auto i = static_cast<size_t>(t);
      done[i] = HWY_DYNAMIC_DISPATCH(fma_rounds)(rounds, &sums[i]);
    });
    double all = 0;
    for (const double one : done) all += one;
    return all;
  });
}

double copy_bytes_per_s() {
  constexpr int64_t floats = int64_t{64} << 20;  // 256 MB, many times the largest cache
  std::vector<float> from(floats, 1), to(floats, 0);
  const int64_t share = floats / threads();
  return best_rate([&] {
    parallel_for(0, threads(),
                 [&](int64_t t) { std::copy_n(from.data() + t * share, share, to.data() + t * share); });
    return 2.0 * sizeof(float) * static_cast<double>(share * threads());
  });
}

}  // namespace lucivox::bench
#endif
