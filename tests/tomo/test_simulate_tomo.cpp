#include <cmath>

#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/fft.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/simulate_tomo.h>

namespace lucivox {
namespace {

const ReconstructionMethod kSirt = SirtOptions{.iterations = 60, .minimum = 0};

// Alone, in a group, behind a whole group; with one thread and with two; by either method.
TEST(SimulateTomo, SlicesDoNotDependOnEachOther) {
  for (const ReconstructionMethod& method :
       {ReconstructionMethod(RampWindow::SheppLogan),
        ReconstructionMethod(SirtOptions{.iterations = 3, .minimum = 0})}) {
    const TomoSimulation many{.sample = SampleKind::Foam, .slices = 40, .size = 48, .method = method};
    const int before = threads();
    set_threads(1);
    const TomoPairs all = simulate_tomo(many, 0, 18);
    set_threads(2);
    for (const int64_t i : {3, 17}) {
      const TomoPairs alone = simulate_tomo(many, i, 1);
      EXPECT_TRUE(at::equal(alone.truth[0], all.truth[i])) << i;
      EXPECT_TRUE(at::equal(alone.clean[0], all.clean[i])) << i;
      EXPECT_TRUE(at::equal(alone.noisy[0], all.noisy[i])) << i;
    }
    set_threads(before);
    EXPECT_FALSE(at::equal(all.truth[0], all.truth[1]));
  }
}

// Every slice has photons of its own, in both scans.
TEST(SimulateTomo, NoiseIsIndependent) {
  const TomoSimulation scan{.slices = 2, .size = 64, .views = 64, .few_views = 64, .exposure_fraction = 1};
  TomoSimulation silent = scan;
  silent.photons = 1e11;
  const TomoPairs counted = simulate_tomo(scan, 0, 2), exact = simulate_tomo(silent, 0, 2);
  const at::Tensor clean = (counted.clean - exact.clean).flatten(1),
                   noisy = (counted.noisy - exact.noisy).flatten(1);
  const at::Tensor correlations = torch::corrcoef(torch::cat({clean, noisy}));
  EXPECT_LT((correlations - torch::eye(4)).abs().max().item<double>(), 0.1);
}

// Poisson's noise in images and flats alike: variances are one over the photons, and FBP is linear. Photons
// enough that the logarithm is, too.
TEST(SimulateTomo, VarianceIsOneOverTheExposure) {
  const auto scanned = [](double photons, double fraction) {
    return simulate_tomo({.slices = 4,
                          .size = 64,
                          .views = 96,
                          .few_views = 96,
                          .photons = photons,
                          .exposure_fraction = fraction,
                          .electronic_sigma = 0},
                         0, 4)
        .noisy.to(at::kDouble);
  };
  const at::Tensor exact = scanned(1e11, 1);
  const auto variance = [&](double fraction) {
    return (scanned(1e6, fraction) - exact).square().mean().item<double>();
  };
  const double full = variance(1);
  for (const double fraction : {0.5, 0.1, 0.02}) EXPECT_NEAR(variance(fraction) * fraction / full, 1, 0.06);
}

TEST(SimulateTomo, ReadOutAddsNoise) {
  TomoSimulation scan{.slices = 1, .size = 64, .photons = 1000};
  const TomoPairs counted = simulate_tomo(scan, 0, 1);
  scan.electronic_sigma = 30;
  const TomoPairs read = simulate_tomo(scan, 0, 1);
  EXPECT_GT(rmse(read.noisy, read.truth), 1.1 * rmse(counted.noisy, counted.truth));
}

// What is lost is lost to noise with fewer photons and to streaks with fewer views; neither method invents.
TEST(SimulateTomo, FewerViewsAndShorterExposuresAreFartherFromTheTruth) {
  for (const ReconstructionMethod& method : {ReconstructionMethod(RampWindow::SheppLogan), kSirt}) {
    const TomoSimulation both{.slices = 2, .size = 96, .method = method};
    TomoSimulation few = both, brief = both;
    few.exposure_fraction = 1;
    brief.few_views = 144;  // as many as 96 pixels have
    const TomoPairs pairs = simulate_tomo(both, 0, 2);
    const double clean = rmse(pairs.clean, pairs.truth), noisy = rmse(pairs.noisy, pairs.truth);
    for (const TomoSimulation& one : {few, brief}) {
      const double error = rmse(simulate_tomo(one, 0, 2).noisy, pairs.truth);
      EXPECT_LT(clean, error);
      EXPECT_LT(error, noisy);
    }
  }
}

// What an exact reconstruction shows of the truth. Both are means: the truth's over square pixels, the scan's
// over a bin of the detector, once more by the filter's window and twice by the interpolation between bins
// (A. C. Kak and M. Slaney, 1988, section 3.3), sinc^4 of the frequency in all.
at::Tensor as_scanned(const at::Tensor& truth_YX) {
  const at::Tensor k = torch::fft::fftfreq(truth_YX.size(0), at::kDouble), x = k.unsqueeze(0),
                   y = k.unsqueeze(1);
  const at::Tensor transfer =
      torch::sinc((x.square() + y.square()).sqrt()).pow(4) / (torch::sinc(x) * torch::sinc(y));
  return at::real(torch::fft::ifft2(torch::fft::fft2(truth_YX.to(at::kDouble)) * transfer));
}

// Line integrals are conserved, so that the mean is right but for noise and the logarithm of a detector's
// mean. Without noise, what is left beside the transfer is aliasing: 1.5 % of the variance for fibres,
// thinner than a pixel, and 0.25 % for others.
TEST(SimulateTomo, TheGoodScanShowsTheTruth) {
  for (const SampleKind kind : {SampleKind::Glass, SampleKind::Shale, SampleKind::Foam, SampleKind::Fibres}) {
    const TomoPairs pairs = simulate_tomo({.sample = kind, .slices = 1, .size = 128, .photons = 1e11}, 0, 1);
    EXPECT_NEAR((pairs.clean.mean() / pairs.truth.mean()).item<double>(), 1, 0.02) << static_cast<int>(kind);
    const double bound = kind == SampleKind::Fibres ? 0.15 : 0.07;
    EXPECT_LT(rmse(pairs.clean[0], as_scanned(pairs.truth[0])), bound * pairs.truth.std().item<double>())
        << static_cast<int>(kind);
  }
}

// Every iteration brings SIRT nearer to what it was scanned from.
TEST(SimulateTomo, MoreIterationsShowMoreOfTheTruth) {
  double error = INFINITY;
  for (const int64_t iterations : {10, 40, 160}) {
    const SirtOptions sirt{.iterations = iterations, .minimum = 0};
    const TomoPairs pairs = simulate_tomo({.slices = 1, .size = 96, .photons = 1e11, .method = sirt}, 0, 1);
    const double now = rmse(pairs.clean, pairs.truth);
    EXPECT_LT(now, 0.8 * error) << iterations;
    error = now;
  }
}

// Where not every view sees, nothing is shown, whatever back-projection leaves there.
TEST(SimulateTomo, ShowsTheFieldOfViewAlone) {
  const TomoPairs pairs = simulate_tomo({.slices = 1, .size = 64}, 0, 1);
  for (const at::Tensor& scan : {pairs.clean, pairs.noisy}) {
    EXPECT_EQ(scan[0][4][4].item<float>(), 0);
    EXPECT_NE(scan[0][1][32].item<float>(), 0);
  }
}

TEST(SimulateTomo, FollowsFromTheSize) {
  const TomoSimulation small = resolve(TomoSimulation{.size = 100});
  EXPECT_EQ(small.views, 150);
  EXPECT_EQ(small.few_views, 18);
  EXPECT_EQ(resolve(TomoSimulation{.size = 2048}).views, 1500);
  EXPECT_NEAR(TomoSimulation{.size = 1024}.pixel_mm(), 0.00325, 1e-9);
}

TEST(SimulateTomo, RefusesTheImpossible) {
  const auto refuses = [](const TomoSimulation& scan) { EXPECT_THROW(resolve(scan), Error); };
  refuses({.slices = 0});
  refuses({.size = 8});
  refuses({.views = -1});
  refuses({.few_views = -1});
  refuses({.views = 10, .few_views = 11});
  for (const double photons : {0.0, -1.0, static_cast<double>(NAN)}) refuses({.photons = photons});
  for (const double fraction : {0.0, -0.1, 1.1, 1e-4, static_cast<double>(NAN)})
    refuses({.exposure_fraction = fraction});
  refuses({.electronic_sigma = -1});
  EXPECT_THROW(simulate_tomo({.slices = 1, .size = 32}, 1, 1), Error);
}

}  // namespace
}  // namespace lucivox
