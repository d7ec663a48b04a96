#include <gtest/gtest.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/phantom.h>
#include <lucivox/tomo/simulate.h>

namespace lucivox {
namespace {

double rmse(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).square().mean().sqrt().item<double>();
}

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

// Full dose errs by resolution alone; low dose by its noise as well.
TEST(SimulateCt, LowDoseIsNoisier) {
  const CtSimulation scan{.slices = 2, .size = 96};
  for (int64_t i = 0; i < 2; ++i) {
    const CtPair pair = simulate_ct(scan, i);
    EXPECT_EQ(pair.truth.sizes(), (at::IntArrayRef{96, 96}));
    EXPECT_LT(rmse(pair.full_dose, pair.truth), rmse(pair.low_dose, pair.truth));
    EXPECT_GT(rmse(pair.low_dose, pair.full_dose), 10);
    // quantitative: noise and ringing average out
    EXPECT_NEAR((pair.full_dose - pair.truth).mean().item<double>(), 0, 10);
  }
}

// More photons, less noise: by the square root of their number.
TEST(SimulateCt, NoiseFollowsThePhotons) {
  const CtSimulation weak{
      .slices = 1, .size = 96, .full_photons = 1e9, .low_photons = 1e5, .electronic_sigma = 0};
  CtSimulation strong = weak;
  strong.low_photons = 4e5;
  const CtPair a = simulate_ct(weak, 0), b = simulate_ct(strong, 0);
  EXPECT_NEAR(rmse(a.low_dose, a.full_dose) / rmse(b.low_dose, b.full_dose), 2, 0.1);
}

TEST(SimulateCt, SlicesDoNotDependOnEachOther) {
  const CtSimulation two{.slices = 2, .size = 64}, many{.slices = 9, .size = 64};
  EXPECT_TRUE(at::equal(simulate_ct(two, 1).low_dose, simulate_ct(many, 1).low_dose));
  EXPECT_FALSE(at::equal(simulate_ct(two, 0).truth, simulate_ct(two, 1).truth));
}

// A slice that is given is scanned as it is; what is below air counts as air.
TEST(SimulateCt, ScansAGivenSlice) {
  at::Tensor hu = torch::full({64, 64}, -2048.0F);
  hu.slice(0, 16, 48).slice(1, 16, 48).fill_(40);
  const CtPair pair = simulate_ct({.slices = 1, .size = 64, .low_photons = 5e5}, 0, hu);
  EXPECT_TRUE(at::equal(pair.truth, hu.clamp_min(-1000)));
  EXPECT_NEAR(pair.full_dose.slice(0, 24, 40).slice(1, 24, 40).mean().item<double>(), 40, 15);
  EXPECT_THROW(simulate_ct({.slices = 1, .size = 32}, 0, hu), Error);
}

TEST(SimulateCt, RefusesTheImpossible) {
  EXPECT_THROW(simulate_ct({.slices = 1}, 1), Error);
  EXPECT_THROW(simulate_ct({.slices = 0}, 0), Error);
  EXPECT_THROW(simulate_ct({.size = 8}, 0), Error);
  EXPECT_THROW(simulate_ct({.full_photons = 1e3, .low_photons = 1e4}, 0), Error);
  EXPECT_THROW(simulate_ct({.low_photons = -1}, 0), Error);
}

}  // namespace
}  // namespace lucivox
