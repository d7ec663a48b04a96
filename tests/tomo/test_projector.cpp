#include <cmath>
#include <functional>

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/tensors.h>
#include <tests/tomo/discs.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/project.h>

namespace lucivox {
namespace {

// Runs the test once with every instruction set that this machine has.
void at_every_vector_length(const std::function<void()>& test) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    test();
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Angles off every grid, images not square, detectors finer and coarser than pixels, wider and narrower than
// the image.
std::vector<ParallelBeam> odd_scans() {
  const std::vector<double> angles{0.0,  0.1, 0.7853981633974483, 0.9, 1.5707963267948966, 2.2, 3.0,
                                   -1.3, 6.0};
  return {{angles, 1, 1, 1, 1, 1},      {angles, 5, 0.7, 3, 7, 1.3},  {angles, 33, 1, 33, 17, 1},
          {angles, 64, 0.5, 20, 31, 1}, {angles, 13, 2.5, 16, 16, 1}, {angles, 97, 1, 64, 64, 1}};
}

double inner_product(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
}

// Joseph's method once more, one ray and one line at a time, in double.
at::Tensor plain_projection(const at::Tensor& image, const ParallelBeam& beam) {
  at::Tensor sino = torch::zeros({1, beam.views(), beam.detectors}, at::kDouble);
  const auto pixels = image.to(at::kDouble)[0];
  const auto values = pixels.accessor<double, 2>();
  const auto at = [&](int64_t y, int64_t x) {
    return y >= 0 && y < beam.rows && x >= 0 && x < beam.columns ? values[y][x] : 0.0;
  };
  const double middle_x = static_cast<double>(beam.columns - 1) / 2,
               middle_y = static_cast<double>(beam.rows - 1) / 2;
  for (int64_t v = 0; v < beam.views(); ++v) {
    const double c = std::cos(beam.angles_rad[static_cast<size_t>(v)]),
                 s = std::sin(beam.angles_rad[static_cast<size_t>(v)]);
    for (int64_t u = 0; u < beam.detectors; ++u) {
      const double ray = (static_cast<double>(u) - static_cast<double>(beam.detectors - 1) / 2) *
                         beam.detector_mm / beam.pixel_mm;
      double sum = 0;
      const bool by_columns = std::abs(s) > std::abs(c);
      for (int64_t line = 0; line < (by_columns ? beam.columns : beam.rows); ++line) {
        const double along = static_cast<double>(line) - (by_columns ? middle_x : middle_y);
        const double across =
            by_columns ? (ray - along * c) / s + middle_y : (ray - along * s) / c + middle_x;
        const double below = std::floor(across), fraction = across - below;
        const auto i = static_cast<int64_t>(below);
        sum += by_columns ? (1 - fraction) * at(i, line) + fraction * at(i + 1, line)
                          : (1 - fraction) * at(line, i) + fraction * at(line, i + 1);
      }
      sino[0][v][u] = sum * beam.pixel_mm / std::max(std::abs(c), std::abs(s));
    }
  }
  return sino;
}

TEST(ForwardProject, IsJosephsMethodAtEveryVectorLength) {
  torch::manual_seed(1);
  for (const ParallelBeam& beam : odd_scans()) {
    const at::Tensor image = torch::rand({1, beam.rows, beam.columns});
    const at::Tensor truth = plain_projection(image, beam);
    // positions are float32: 64 pixels keep 18 bits of fraction
    at_every_vector_length([&] {
      EXPECT_LT(largest_difference(forward_project(image, beam), truth),
                1e-3 * (1 + truth.abs().max().item<double>()));
    });
  }
}

TEST(AdjointProject, IsTheAdjoint) {
  torch::manual_seed(2);
  for (const ParallelBeam& beam : odd_scans()) {
    const at::Tensor x = torch::rand({2, beam.rows, beam.columns}),
                     y = torch::rand({2, beam.views(), beam.detectors});
    at_every_vector_length([&] {
      const double forward = inner_product(forward_project(x, beam), y),
                   backward = inner_product(x, adjoint_project(y, beam));
      EXPECT_NEAR(forward, backward, 2e-5 * std::abs(forward) + 1e-6);
    });
  }
}

// Chords of a disc. Joseph's interpolation blurs its edge over a pixel, so the mean error is compared.
TEST(ForwardProject, SeesTheChordsOfADisc) {
  const ParallelBeam beam{half_turn(24), 128, 1, 128, 128, 1};
  const at::Tensor truth = disc_sinogram(beam, 40, 0.02), mine = forward_project(disc(beam, 40, 0.02), beam);
  EXPECT_LT((mine - truth).abs().mean().item<double>(), 0.002);
  EXPECT_NEAR(mine.select(2, 64).mean().item<double>(), truth.select(2, 64).mean().item<double>(), 0.002);
}

// The same whatever the number of threads, bit for bit.
TEST(ForwardProject, DoesNotDependOnTheNumberOfThreads) {
  const ParallelBeam beam = odd_scans().back();
  const at::Tensor x = torch::rand({1, beam.rows, beam.columns}),
                   y = torch::rand({1, beam.views(), beam.detectors});
  const int before = threads();
  set_threads(1);
  const at::Tensor forward = forward_project(x, beam), adjoint = adjoint_project(y, beam);
  set_threads(2);
  EXPECT_TRUE(at::equal(forward_project(x, beam), forward));
  EXPECT_TRUE(at::equal(adjoint_project(y, beam), adjoint));
  set_threads(before);
}

TEST(ForwardProject, RefusesWhatDoesNotFit) {
  const ParallelBeam beam = odd_scans()[1];
  EXPECT_THROW(forward_project(torch::rand({1, 7, 3}), beam), Error);
  EXPECT_THROW(forward_project(torch::rand({3, 7}), beam), Error);
  EXPECT_THROW(adjoint_project(torch::rand({1, 9, 4}), beam), Error);
  ParallelBeam impossible = beam;
  impossible.pixel_mm = 0;
  EXPECT_THROW(forward_project(torch::rand({1, 3, 7}), impossible), Error);
}

}  // namespace
}  // namespace lucivox
