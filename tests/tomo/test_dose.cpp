#include <cmath>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/dose.h>

namespace lucivox {
namespace {

TEST(HounsfieldUnits, OfWaterAndAir) {
  const at::Tensor per_mm =
      torch::tensor({0.0F, static_cast<float>(kWaterPerMm), static_cast<float>(2 * kWaterPerMm)});
  EXPECT_TRUE(at::allclose(attenuation_to_hu(per_mm), torch::tensor({-1000.0F, 0.0F, 1000.0F}), 0, 1e-3));
  EXPECT_TRUE(at::allclose(hu_to_attenuation(attenuation_to_hu(per_mm)), per_mm));
}

// N = photons exp(-p): the variance of -log(N / photons) is (N + sigma^2) / N^2 to first order, its mean p +
// half of that.
TEST(Measure, HasPoissonsNoise) {
  constexpr int64_t rays = 200'000;
  for (const double p : {0.0, 1.0, 3.0}) {
    const Dose dose{.photons = 1e5, .electronic_sigma = 20};
    const at::Tensor measured = measure(torch::full({400, rays / 400}, p), dose, 3).to(at::kDouble);
    const double expected = dose.photons * std::exp(-p);
    const double variance = (expected + 20 * 20) / (expected * expected);
    EXPECT_NEAR(measured.var().item<double>(), variance, 0.02 * variance) << p;
    EXPECT_NEAR(measured.mean().item<double>(), p + variance / 2, 5 * std::sqrt(variance / rays)) << p;
  }
}

// Where no photon arrives the logarithm still exists.
TEST(Measure, StaysFiniteBehindLead) {
  const at::Tensor measured = measure(torch::full({8, 8}, 100.0), {.photons = 1e4}, 1);
  EXPECT_TRUE(at::isfinite(measured).all().item<bool>());
  EXPECT_LE(measured.max().item<double>(), std::log(1e4) + 1e-5);
}

TEST(Measure, DependsOnTheSeedAlone) {
  const at::Tensor p = torch::rand({33, 17});
  const int before = threads();
  set_threads(1);
  const at::Tensor one = measure(p, {}, 5);
  set_threads(2);
  EXPECT_TRUE(at::equal(measure(p, {}, 5), one));
  EXPECT_FALSE(at::equal(measure(p, {}, 6), one));
  set_threads(before);
}

TEST(Measure, RefusesImpossibleDoses) {
  const at::Tensor p = torch::zeros({2, 2});
  EXPECT_THROW(measure(p, {.photons = 0}, 1), Error);
  EXPECT_THROW(measure(p, {.photons = NAN}, 1), Error);
  EXPECT_THROW(measure(p, {.electronic_sigma = -1}, 1), Error);
  EXPECT_THROW(measure(p, {.photons = 10, .minimum_count = 11}, 1), Error);
  EXPECT_THROW(measure(torch::zeros({1, 2, 2}), {}, 1), Error);
}

}  // namespace
}  // namespace lucivox
