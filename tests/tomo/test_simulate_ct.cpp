#include <cmath>

#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/dose.h>
#include <lucivox/tomo/phantom.h>
#include <lucivox/tomo/simulate_ct.h>

namespace lucivox {
namespace {

// Air around the patient, lungs, soft tissue and bone are all there, whoever it is.
TEST(ChestPhantom, HasWhatAChestHas) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const at::Tensor hu = chest_phantom(128, 400, seed);
    const auto share = [&](double low, double high) {
      return ((hu >= low) & (hu < high)).to(at::kFloat).mean().item<double>();
    };
    EXPECT_GE(hu.min().item<double>(), -1024);
    EXPECT_LE(hu.max().item<double>(), 2500);
    EXPECT_GT(share(-1024, -950), 0.2) << seed;
    EXPECT_GT(share(-950, -650), 0.05) << seed;
    EXPECT_GT(share(-150, 150), 0.1) << seed;
    EXPECT_GT(share(250, 2500), 0.005) << seed;
  }
}

TEST(ChestPhantom, IsMadeFromItsSeed) {
  const at::Tensor one = chest_phantom(64, 400, 1);
  EXPECT_TRUE(at::equal(chest_phantom(64, 400, 1), one));
  EXPECT_GT(rmse(chest_phantom(64, 400, 2), one), 50);
  EXPECT_THROW(chest_phantom(8, 400, 1), Error);
  EXPECT_THROW(chest_phantom(64, 0, 1), Error);
}

// Pixels of `pixel_mm` whose middles lie between two distances from the middle of a square image, in mm.
at::Tensor ring(int64_t size, double pixel_mm, double inner_mm, double outer_mm) {
  const at::Tensor place = (torch::arange(size, at::kDouble) - static_cast<double>(size - 1) / 2) * pixel_mm;
  const at::Tensor distance = (place.square().unsqueeze(0) + place.square().unsqueeze(1)).sqrt();
  return (distance >= inner_mm) & (distance < outer_mm);
}

// A cylinder of water in the middle of a field of 400 mm, again and again: slices that differ by their
// noise alone.
class Water : public ::testing::Test {
 protected:
  static constexpr int64_t kSize = 80, kSlices = 32;
  static constexpr double kPixelMm = 400.0 / kSize, kRadiusMm = 120;

  static CtSimulation photons(double full, double fraction) {
    return {.slices = kSlices,
            .size = kSize,
            .full_photons = full,
            .dose_fraction = fraction,
            .bowtie_radius_mm = 0,
            .electronic_sigma = 0};
  }

  static at::Tensor low_dose(const CtSimulation& scan) {
    const at::Tensor disc = ring(4 * kSize, kPixelMm / 4, 0, kRadiusMm);
    const at::Tensor hu = torch::where(disc, 0.0F, -1000.0F).expand({kSlices, -1, -1});
    return simulate_ct(scan, 0, hu, {kPixelMm / 4, kPixelMm / 4}).low_dose;
  }

  // Over the slices, and the mean of that over a ring.
  static double variance(const at::Tensor& hu_SYX, double inner_mm, double outer_mm) {
    const at::Tensor pixels = hu_SYX.to(at::kDouble).var(0);
    return pixels.masked_select(ring(kSize, kPixelMm, inner_mm, outer_mm)).mean().item<double>();
  }
  static double variance(const CtSimulation& scan) { return variance(low_dose(scan), 0, 40); }

  // Photons that arrive through the middle of the cylinder where `sent` are sent.
  static double through_the_middle(double sent) { return sent * std::exp(-kWaterPerMm * 2 * kRadiusMm); }
};

// Poisson's noise: the variance of every ray is one over its photons, and FBP is linear.
TEST_F(Water, VarianceIsOneOverTheDose) {
  const double full = variance(photons(2e6, 1));
  for (const double fraction : {0.5, 0.1, 0.02})
    EXPECT_NEAR(variance(photons(2e6, fraction)) * fraction / full, 1, 0.08) << fraction;
}

// The electronics add sigma^2 / N^2 to the 1 / N of a ray of N photons. What is seen in the middle has gone
// through the middle.
TEST_F(Water, ElectronicNoiseGrowsFasterThanOneOverTheDose) {
  constexpr double full = 5e5, sigma = 30;
  for (const double fraction : {1.0, 0.1}) {
    CtSimulation scan = photons(full, fraction);
    const double quantum = variance(low_dose(scan), 0, 20);
    scan.electronic_sigma = sigma;
    const double expected = 1 + sigma * sigma / through_the_middle(full * fraction);
    EXPECT_NEAR(variance(low_dose(scan), 0, 20) / quantum, expected, 0.12 * expected) << fraction;
  }
}

// Rays near the edge of the cylinder get more light than those through its middle, unless a filter takes it.
TEST_F(Water, ABowtieFilterEvensOutTheNoise) {
  const auto unevenness = [](double bowtie_radius_mm) {
    CtSimulation scan = photons(1e5, 1);
    scan.bowtie_radius_mm = bowtie_radius_mm;
    const at::Tensor hu = low_dose(scan);
    return variance(hu, 0, 40) / variance(hu, 90, 110);
  };
  const double without = unevenness(0), with = unevenness(kRadiusMm);
  EXPECT_GT(without, 1.5);
  EXPECT_LT(with - 1, 0.6 * (without - 1));
}

// With filter and electronics; photons enough that the logarithm's own bias of 1 / 2N stays below 1 HU.
TEST_F(Water, IsZeroHuAtEveryDose) {
  for (const double fraction : {1.0, 0.2, 0.04}) {
    const CtSimulation scan{.slices = kSlices, .size = kSize, .full_photons = 2e6, .dose_fraction = fraction};
    const at::Tensor mean = low_dose(scan).mean(0);
    for (const double inner : {0.0, 30.0, 60.0, 90.0}) {
      const at::Tensor region = mean.masked_select(ring(kSize, kPixelMm, inner, inner + 20));
      EXPECT_NEAR(region.mean().item<double>(), 0, 2) << inner << " mm at " << fraction;
    }
  }
}

// Full dose errs by resolution alone; low dose by its noise as well.
TEST(SimulateCt, LowDoseIsNoisier) {
  const CtPairs pairs = simulate_ct({.slices = 2, .size = 96}, 0, 2);
  for (int64_t i = 0; i < 2; ++i) {
    const at::Tensor truth = pairs.truth[i], full_dose = pairs.full_dose[i], low_dose = pairs.low_dose[i];
    EXPECT_EQ(truth.sizes(), (at::IntArrayRef{96, 96}));
    EXPECT_LT(rmse(full_dose, truth), rmse(low_dose, truth));
    EXPECT_GT(rmse(low_dose, full_dose), 10);
    // quantitative: noise and ringing average out
    EXPECT_NEAR((full_dose - truth).mean().item<double>(), 0, 10);
  }
}

// Alone, in a group, behind a whole group; with one thread and with two.
TEST(SimulateCt, SlicesDoNotDependOnEachOther) {
  const CtSimulation many{.slices = 40, .size = 48};
  const int before = threads();
  set_threads(1);
  const CtPairs all = simulate_ct(many, 0, 18);
  set_threads(2);
  for (const int64_t i : {3, 17}) {
    const CtPairs alone = simulate_ct(many, i, 1);
    EXPECT_TRUE(at::equal(alone.truth[0], all.truth[i])) << i;
    EXPECT_TRUE(at::equal(alone.full_dose[0], all.full_dose[i])) << i;
    EXPECT_TRUE(at::equal(alone.low_dose[0], all.low_dose[i])) << i;
  }
  set_threads(before);
  EXPECT_FALSE(at::equal(all.truth[0], all.truth[1]));
  EXPECT_TRUE(at::equal(simulate_ct({.slices = 2, .size = 48}, 1, 1).low_dose[0], all.low_dose[1]));
}

// A CT that is given is scanned as it is; what is below air counts as air.
TEST(SimulateCt, ScansAGivenCt) {
  at::Tensor hu = torch::full({2, 64, 64}, -2048.0F);
  hu.slice(1, 16, 48).slice(2, 16, 48).fill_(40);
  const CtPairs pairs = simulate_ct({.slices = 2, .size = 64}, 0, hu, {6.25, 6.25});
  EXPECT_TRUE(at::equal(pairs.truth, hu.clamp_min(-1000)));
  EXPECT_NEAR(pairs.full_dose.slice(1, 24, 40).slice(2, 24, 40).mean().item<double>(), 40, 5);
  EXPECT_FALSE(at::equal(pairs.low_dose[0], pairs.low_dose[1]));
}

// The scanner sees 50 cm; a CT may be larger, and what lies outside must not shade what is seen.
TEST(SimulateCt, TakesWhatTheScannerDoesNotSeeForAir) {
  const CtSimulation scan{.slices = 1, .size = 72, .pixel_mm = 10, .full_photons = 1e9};
  const CtPairs pairs = simulate_ct(scan, 0, torch::zeros({1, 72, 72}), {10, 10});
  EXPECT_NEAR(pairs.truth.masked_select(ring(72, 10, 260, 600)).mean().item<double>(), -1000, 1e-3);
  EXPECT_NEAR(pairs.full_dose[0].masked_select(ring(72, 10, 0, 200)).mean().item<double>(), 0, 10);
}

TEST(SimulateCt, RefusesTheImpossible) {
  const auto refuses = [](const CtSimulation& scan) { EXPECT_THROW(resolve(scan), Error); };
  refuses({.slices = 0});
  refuses({.size = 8});
  refuses({.pixel_mm = -1});
  refuses({.size = 512, .pixel_mm = 3});
  refuses({.views = -1});
  refuses({.full_photons = -1});
  refuses({.full_photons = NAN});
  refuses({.full_photons = 1000, .dose_fraction = 0.01});
  for (const double fraction : {0.0, -0.1, 1.1, static_cast<double>(NAN)})
    refuses({.dose_fraction = fraction});
  refuses({.bowtie_radius_mm = -1});
  refuses({.electronic_sigma = -1});
  EXPECT_THROW(simulate_ct({.slices = 1, .size = 32}, 1, 1), Error);
  EXPECT_THROW(simulate_ct({.slices = 1, .size = 32}, 0, torch::zeros({2, 32, 32}), {}), Error);
}

}  // namespace
}  // namespace lucivox
