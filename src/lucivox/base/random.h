#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace lucivox {

// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). A (seed, stream) pair gives the same numbers whatever other streams are drawn, so that results do
// not depend on the number of threads or on where a run was resumed. Satisfies UniformRandomBitGenerator.
class Random {
 public:
  using result_type = uint32_t;

  explicit Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<uint32_t>::max(); }
  result_type operator()();

  double uniform();                         // [0, 1)
  double uniform(double low, double high);  // [low, high)
  int64_t integer(int64_t count);           // 0 .. count-1, count > 0
  double normal();                          // mean 0, variance 1
  double normal(double mean, double sigma) { return mean + sigma * normal(); }
  // Number of events where `mean` are expected; mean >= 0.
  double poisson(double mean);
  // 0 .. count-1 in random order (Fisher-Yates).
  std::vector<int64_t> permutation(int64_t count);

 private:
  uint64_t seed_, stream_, counter_ = 0;
  std::array<uint32_t, 4> block_{};
  int left_ = 0;
};

// An independent seed for a numbered part of a task ("epoch 3", "slice 17").
uint64_t derive_seed(uint64_t seed, uint64_t part);

}  // namespace lucivox
