#include <gtest/gtest.h>
#include <tests/tomo/discs.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/fbp.h>

namespace lucivox {
namespace {

ParallelBeam scan() {
  return {half_turn(180), 160, 1, 128, 128, 1};
}

// The mean inside a disc whose chords are exact: FBP of a band-limited ramp is right to about half a percent
// at this sampling.
TEST(Fbp, GivesADiscItsAttenuation) {
  for (const RampWindow window : {RampWindow::RamLak, RampWindow::Hann}) {
    const at::Tensor image = fbp(disc_sinogram(scan(), 40, 0.02), scan(), window);
    const at::Tensor inside = disc(scan(), 30, 1) > 0.5,
                     outside = (disc(scan(), 50, 1) < 0.5) & (disc(scan(), 60, 1) > 0.5);
    EXPECT_NEAR(image.masked_select(inside).mean().item<double>(), 0.02, 0.0001);
    EXPECT_NEAR(image.masked_select(outside).mean().item<double>(), 0, 0.0001);
  }
}

// Half the spacing of everything is the same disc at twice the attenuation.
TEST(Fbp, KnowsMillimetres) {
  ParallelBeam fine = scan();
  fine.pixel_mm = fine.detector_mm = 0.5;
  const at::Tensor coarse = fbp(disc_sinogram(scan(), 40, 0.02), scan());
  EXPECT_LT((fbp(disc_sinogram(fine, 20, 0.04), fine) - 2 * coarse).abs().max().item<double>(), 1e-6);
}

TEST(Fbp, HannIsSmoother) {
  torch::manual_seed(1);
  const at::Tensor noise = torch::randn({1, 180, 160});
  EXPECT_LT(fbp(noise, scan(), RampWindow::Hann).std().item<double>(),
            0.7 * fbp(noise, scan()).std().item<double>());
}

TEST(Fbp, RefusesOtherShapes) {
  EXPECT_THROW(fbp(torch::zeros({1, 180, 128}), scan()), Error);
}

}  // namespace
}  // namespace lucivox
