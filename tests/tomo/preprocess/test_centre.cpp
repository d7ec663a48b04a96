#include <algorithm>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>
#include <tests/tomo/preprocess/ellipses.h>
#include <tests/tomo/preprocess/messages.h>
#include <torch/types.h>

#include <lucivox/tomo/geometry.h>
#include <lucivox/tomo/preprocess/centre.h>

namespace lucivox {
namespace {

using std::numbers::pi;

std::vector<double> even_angles(int64_t views, double step_rad) {
  std::vector<double> angles;
  for (int64_t v = 0; v < views; ++v) angles.push_back(static_cast<double>(v) * step_rad);
  return angles;
}

// Fractions of a column, up to 15 % of the width to both sides.
std::vector<double> centres(int64_t detectors) {
  const auto width = static_cast<double>(detectors);
  return {(width - 1) / 2 - 0.15 * width, (width - 1) / 2 - 0.06 * width + 0.3, (width - 1) / 2,
          (width - 1) / 2 + 0.11 * width, (width - 1) / 2 + 0.15 * width - 0.25};
}

// Exact sinograms about known axes, on detectors that are searched at one, two and four bins.
TEST(FindCentre, FindsTheAxisOfEllipses) {
  for (const int64_t detectors : {200, 256, 515}) {
    for (const double truth : centres(detectors)) {
      const at::Tensor sino = ellipse_sinogram(body(), half_turn(180), detectors, truth);
      EXPECT_NEAR(find_centre(sino, half_turn(180)), truth, 0.1) << detectors;
    }
  }
}

TEST(FindCentre, FindsTheAxisInNoise) {
  torch::manual_seed(1);
  for (const double truth : centres(256)) {
    const at::Tensor sino = ellipse_sinogram(body(), half_turn(180), 256, truth);
    const at::Tensor noise = 0.025 * sino.max() * torch::randn(sino.sizes());
    EXPECT_NEAR(find_centre(sino + noise, half_turn(180)), truth, 0.3);
  }
}

// Stripes are not mirrored with the object and must not attract the axis to the middle.
TEST(FindCentre, IgnoresStripes) {
  torch::manual_seed(2);
  for (const double truth : centres(256)) {
    const at::Tensor sino = ellipse_sinogram(body(), half_turn(180), 256, truth);
    EXPECT_NEAR(find_centre(sino + 0.05 * torch::randn({1, 256}), half_turn(180)), truth, 0.3);
  }
}

// An object that reaches past the detector on both sides in every view.
TEST(FindCentre, SeesInsideLargeObjects) {
  std::vector<Ellipse> large = body();
  large.front() = {6, -5, 170, 150, 0.4, 0.007};
  large.push_back({100, 40, 12, 5, 0.2, 0.03});
  large.push_back({-120, 10, 8, 15, 1, 0.02});
  for (const double truth : centres(200)) {
    EXPECT_NEAR(find_centre(ellipse_sinogram(large, half_turn(180), 200, truth), half_turn(180)), truth, 0.2);
  }
}

// Views t and t + pi are mirror images about the axis.
TEST(FindCentre, ComparesTheTwoHalvesOfAFullTurn) {
  torch::manual_seed(3);
  const std::vector<double> angles = even_angles(240, pi / 120);
  for (const double truth : centres(256)) {
    const at::Tensor sino = ellipse_sinogram(body(), angles, 256, truth);
    EXPECT_NEAR(find_centre(sino, angles), truth, 0.05);
    const at::Tensor noise = 0.025 * sino.max() * torch::randn(sino.sizes());
    EXPECT_NEAR(find_centre(sino + noise, angles), truth, 0.1);
  }
}

// The same axis, however the half turn is walked: backwards, with its end, with views beyond it, from
// anywhere, and with few views.
TEST(FindCentre, KnowsEveryWayToTakeAHalfTurn) {
  std::vector<double> backwards = half_turn(120);
  std::ranges::reverse(backwards);
  std::vector<double> elsewhere = half_turn(120);
  for (double& angle : elsewhere) angle += 1.234;
  for (const std::vector<double>& angles :
       {backwards, elsewhere, even_angles(121, pi / 120), even_angles(150, pi / 120), half_turn(32)}) {
    EXPECT_NEAR(find_centre(ellipse_sinogram(body(), angles, 200, 93.7), angles), 93.7, 0.1);
  }
}

TEST(FindCentre, SaysWhyItCannot) {
  const std::vector<double> angles = half_turn(60);
  const at::Tensor sino = ellipse_sinogram(body(), angles, 200, 100);
  const auto refuses = [](const at::Tensor& s, const std::vector<double>& a, const char* words) {
    const std::string message = message_of([&] { find_centre(s, a); });
    EXPECT_TRUE(says(message, words)) << words << ": " << message;
  };
  refuses(sino.narrow(0, 0, 10), half_turn(10), "10 views are too few");
  refuses(torch::ones({60, 200}), angles, "constant");
  refuses(sino, half_turn(61), "61 angles for 60 views");
  refuses(sino, even_angles(60, pi / 120), "cover 90.0 of the 180 degrees");
  refuses(sino, even_angles(60, 3), "1 views a half turn");
  refuses(sino, std::vector<double>(60, 0.0), "cover 0.0 of the 180 degrees");
  refuses(sino.narrow(1, 0, 10), angles, "10 detector columns");
  refuses(sino.unsqueeze(0), angles, "shape [1, 60, 200]");
  refuses(sino / 0, angles, "NaN or infinite");
  std::vector<double> uneven = angles;
  uneven[30] += 0.04;
  refuses(sino, uneven, "not evenly spaced");
  EXPECT_THROW(find_centre(sino, angles, 0), Error);
  EXPECT_THROW(find_centre(sino, angles, 0.6), Error);
  // the axis is 40 columns from the middle, the search ends at 20
  const at::Tensor off = ellipse_sinogram(body(), angles, 200, 139.5);
  EXPECT_NEAR(find_centre(off, angles), 139.5, 0.2);
  EXPECT_TRUE(says(message_of([&] { find_centre(off, angles, 0.1); }), "no axis of rotation"));
}

// A quarter of the centres far off, all to the same side: the line stays where the others are.
TEST(FitCentres, IsNotMovedByOutliers) {
  std::vector<double> rows, found;
  for (int i = 0; i < 16; ++i) {
    rows.push_back(10 * i);
    found.push_back(100.5 + 0.02 * rows.back() + (i % 4 == 1 ? 30 : 0));
  }
  const AxisLine line = fit_centres(rows, found);
  EXPECT_NEAR(line.slope, 0.02, 1e-12);
  EXPECT_NEAR(line.at_row_0, 100.5, 1e-9);
  EXPECT_NEAR(line.centre(50), 101.5, 1e-9);
}

TEST(FitCentres, RefusesWhatIsNoLine) {
  EXPECT_THROW(fit_centres({}, {}), Error);
  EXPECT_THROW(fit_centres({1}, {2}), Error);
  EXPECT_THROW(fit_centres({1, 1}, {2, 3}), Error);
  EXPECT_THROW(fit_centres({1, 2}, {2}), Error);
  EXPECT_THROW(fit_centres({1, 2}, {2, NAN}), Error);
}

}  // namespace
}  // namespace lucivox
