#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include <lucivox/base/random.h>

namespace lucivox {
namespace {

// Known answers of the authors' Random123 library (kat_vectors) for Philox 4x32-10 with counter and key 0.
TEST(Random, IsPhilox) {
  Random random(0, 0);
  const std::array<uint32_t, 4> truth{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (const uint32_t expected : truth) EXPECT_EQ(random(), expected);
}

TEST(Random, StreamsDiffer) {
  Random a(1, 0), b(1, 1), c(2, 0);
  const uint32_t first = a();
  EXPECT_NE(first, b());
  EXPECT_NE(first, c());
}

// Means and variances over n draws err by less than five standard errors.
TEST(Random, HasTheRightMoments) {
  constexpr int n = 200'000;
  Random random(7);
  const auto moments = [&](auto draw) {
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const double x = draw();
      sum += x;
      squares += x * x;
    }
    const double mean = sum / n;
    return std::pair{mean, squares / n - mean * mean};
  };
  const auto [uniform_mean, uniform_variance] = moments([&] { return random.uniform(); });
  EXPECT_NEAR(uniform_mean, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(uniform_variance, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / n));
  const auto [normal_mean, normal_variance] = moments([&] { return random.normal(); });
  EXPECT_NEAR(normal_mean, 0, 5 * std::sqrt(1.0 / n));
  EXPECT_NEAR(normal_variance, 1, 5 * std::sqrt(2.0 / n));
  for (const double expected : {0.0, 0.3, 4.0, 9.9, 10.1, 30.0, 5000.0, 1e6}) {
    const auto [mean, variance] = moments([&] { return random.poisson(expected); });
    EXPECT_NEAR(mean, expected, 5 * std::sqrt(expected / n)) << expected;
    // the fourth central moment of Poisson's law is 3 m^2 + m
    EXPECT_NEAR(variance, expected, 5 * std::sqrt((2 * expected * expected + expected) / n)) << expected;
  }
}

TEST(Random, PermutesAll) {
  Random random(3);
  auto order = random.permutation(100);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Random, IntegersStayBelowTheirCountAndReachAll) {
  Random random(5);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(static_cast<size_t>(random.integer(7)));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 5 * std::sqrt(1000.0));
}

}  // namespace
}  // namespace lucivox
