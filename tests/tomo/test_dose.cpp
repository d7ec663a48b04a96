#include <cmath>

#include <gtest/gtest.h>
#include <tests/devices.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/dose.h>

namespace lucivox {
namespace {

// The same photons along every ray.
Dose even(int64_t detectors, double photons, double electronic_sigma = 0) {
  return {std::vector<double>(static_cast<size_t>(detectors), photons), electronic_sigma};
}

TEST(HounsfieldUnits, OfWaterAndAir) {
  on_every_device([](c10::Device device) {
    const at::Tensor per_mm = torch::tensor({0.0, kWaterPerMm, 2 * kWaterPerMm}, device).to(at::kFloat),
                     hu = attenuation_to_hu(per_mm);
    EXPECT_TRUE(at::allclose(hu.cpu(), torch::tensor({-1000.0F, 0.0F, 1000.0F}), 0, 1e-3));
    EXPECT_TRUE(at::allclose(hu_to_attenuation(hu), per_mm));
  });
}

// The whole filter and the cylinder that it is made for attenuate every ray as the middle of the cylinder
// does; beyond it the filter does not get thicker.
TEST(BowtieTransmission, MakesUpForItsCylinder) {
  constexpr double r = 120;
  for (const double s : {0.0, 40.0, -90.0, 119.0}) {
    const double path = 2 * std::sqrt(r * r - s * s);
    EXPECT_NEAR(bowtie_transmission(s, r, 1) * std::exp(-kWaterPerMm * path), std::exp(-kWaterPerMm * 2 * r),
                1e-12)
        << s;
  }
  EXPECT_DOUBLE_EQ(bowtie_transmission(200, r, 0.5), std::exp(-kWaterPerMm * r));
  EXPECT_DOUBLE_EQ(bowtie_transmission(200, 0, 0.5), 1);
}

// N = photons exp(-p): the variance of -log(N / photons) is (N + sigma^2) / N^2 to first order, its mean p +
// half of that.
TEST(Measure, HasPoissonsNoise) {
  constexpr int64_t rays = 200'000, detectors = rays / 400;
  for (const double p : {0.0, 1.0, 3.0}) {
    const at::Tensor measured =
        measure(torch::full({400, detectors}, p), even(detectors, 1e5, 20), 3).to(at::kDouble);
    const double expected = 1e5 * std::exp(-p);
    const double variance = (expected + 20 * 20) / (expected * expected);
    EXPECT_NEAR(measured.var().item<double>(), variance, 0.02 * variance) << p;
    EXPECT_NEAR(measured.mean().item<double>(), p + variance / 2, 5 * std::sqrt(variance / rays)) << p;
  }
}

// Behind a filter: each detector is compared with its own photons in air, so that means agree and variances
// are 1 / N.
TEST(Measure, KnowsWhatEachDetectorIsSent) {
  const at::Tensor measured = measure(torch::ones({100'000, 2}), {{1e5, 1e4}}, 4).to(at::kDouble);
  for (const int64_t u : {0, 1}) {
    const double expected = (u == 0 ? 1e5 : 1e4) * std::exp(-1.0);
    EXPECT_NEAR(measured.select(1, u).mean().item<double>(), 1, 1e-3) << u;
    EXPECT_NEAR(measured.select(1, u).var().item<double>() * expected, 1, 0.03) << u;
  }
}

// Where no photon arrives the logarithm still exists.
TEST(Measure, StaysFiniteBehindLead) {
  const at::Tensor measured = measure(torch::full({8, 8}, 100.0), even(8, 1e4, 10), 1);
  EXPECT_TRUE(at::isfinite(measured).all().item<bool>());
  EXPECT_LE(measured.max().item<double>(), std::log(1e4) + 1e-5);
}

TEST(Measure, DependsOnTheSeedAlone) {
  const at::Tensor p = torch::rand({33, 17});
  const Dose dose = even(17, 1e5, 10);
  const int before = threads();
  set_threads(1);
  const at::Tensor one = measure(p, dose, 5);
  set_threads(2);
  EXPECT_TRUE(at::equal(measure(p, dose, 5), one));
  EXPECT_FALSE(at::equal(measure(p, dose, 6), one));
  set_threads(before);
}

TEST(Measure, RefusesImpossibleDoses) {
  const at::Tensor p = torch::zeros({2, 2});
  EXPECT_THROW(measure(p, even(2, 0), 1), Error);
  EXPECT_THROW(measure(p, even(2, NAN), 1), Error);
  EXPECT_THROW(measure(p, even(2, 1e5, -1), 1), Error);
  EXPECT_THROW(measure(p, {{10, 10}, 0, 11}, 1), Error);
  EXPECT_THROW(measure(p, even(3, 1e5), 1), Error);
  EXPECT_THROW(measure(torch::zeros({1, 2, 2}), even(2, 1e5), 1), Error);
}

}  // namespace
}  // namespace lucivox
