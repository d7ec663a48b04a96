#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <tests/tomo/phantoms.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/fbp.h>

namespace lucivox {
namespace {

const std::vector<Ellipse> kDisc{{0, 0, 40, 40, 0, 0.02}};
const std::vector<Ellipse> kAside{{14, -22, 25, 18, 0.6, 0.02}};

ScanGeometry scan() {
  return {half_turn(180), 160, 1, 128, 128, 1};
}

ScanGeometry fan(Beam beam, double turn_rad, int64_t views) {
  ScanGeometry geometry{{}, 220, 1.6, 128, 128, 1, {}, beam, 200, 400};
  for (int64_t v = 0; v < views; ++v)
    geometry.angles_rad.push_back(0.3 + turn_rad * static_cast<double>(v) / static_cast<double>(views));
  return geometry;
}

// Computed on the device, brought back.
at::Tensor image_of(const ScanGeometry& geometry, const std::vector<Ellipse>& ellipses, c10::Device device,
                    RampWindow window = RampWindow::RamLak) {
  return fbp(ellipse_sinogram(geometry, ellipses).to(device), geometry, window).cpu();
}

// Means well inside and well outside an ellipse whose chords are exact: FBP of a band-limited ramp is right
// to about half a percent at this sampling.
void expect_quantitative(const ScanGeometry& geometry, const std::vector<Ellipse>& ellipses,
                         RampWindow window = RampWindow::RamLak) {
  const auto scaled = [&](double factor) {
    Ellipse e = ellipses[0];
    e.a *= factor;
    e.b *= factor;
    e.value = 1;
    return ellipse_image(geometry, {e});
  };
  const at::Tensor inside = scaled(0.8) > 0.5, outside = (scaled(1.25) < 0.5) & (scaled(1.6) > 0.5);
  on_every_device([&](c10::Device device) {
    const at::Tensor image = image_of(geometry, ellipses, device, window);
    EXPECT_NEAR(image.masked_select(inside).mean().item<double>(), 0.02, 1e-4);
    EXPECT_NEAR(image.masked_select(outside).mean().item<double>(), 0, 1.5e-4);
    // streaks and ringing stay near the edges
    EXPECT_LT(image.masked_select(inside).std().item<double>(), 4e-4);
  });
}

TEST(Fbp, GivesADiscItsAttenuation) {
  for (const char* window : {"ram-lak", "shepp-logan", "cosine", "hamming", "hann"})
    expect_quantitative(scan(), kDisc, ramp_window(window));
}

TEST(Fbp, GivesAFanItsAttenuation) {
  for (const Beam beam : {Beam::FanFlat, Beam::FanCurved}) {
    expect_quantitative(fan(beam, 2 * M_PI, 360), kDisc);
    expect_quantitative(fan(beam, 2 * M_PI, 360), kAside);
  }
}

// Half a turn and the fan, and somewhat more: rays measured twice count once.
TEST(Fbp, GivesAShortScanItsAttenuation) {
  for (const Beam beam : {Beam::FanFlat, Beam::FanCurved}) {
    const double needed = M_PI + 2 * fan(beam, M_PI, 10).half_fan_rad();
    for (const double excess : {0.02, 0.5}) {
      expect_quantitative(fan(beam, needed + excess, 360), kDisc);
      expect_quantitative(fan(beam, needed + excess, 360), kAside);
    }
  }
  EXPECT_THROW(image_of(fan(Beam::FanFlat, M_PI, 180), kDisc, c10::kCPU), Error);
}

// Where the axis is not in the middle of the detector, and views are not evenly spaced nor in order.
TEST(Fbp, KnowsTheCentreAndTheAngles) {
  ScanGeometry geometry = scan();
  geometry.centre = 74.3;
  expect_quantitative(geometry, kAside);
  std::vector<double>& angles = geometry.angles_rad;
  for (size_t v = 0; v < angles.size(); ++v) angles[v] += 0.004 * std::sin(7.0 * static_cast<double>(v));
  std::reverse(angles.begin() + 20, angles.begin() + 90);
  for (size_t v = 0; v < angles.size(); v += 3) angles[v] += M_PI;
  expect_quantitative(geometry, kAside);
}

// A head of thin and faint parts. The truth is the phantom itself; FBP's error is at the edges.
TEST(Fbp, ReconstructsTheSheppLoganPhantom) {
  const ScanGeometry geometry{half_turn(400), 300, 0.8, 256, 256, 0.8};
  const std::vector<Ellipse> head = shepp_logan(256 * 0.8);
  const at::Tensor truth = ellipse_image(geometry, head);
  const auto mean_at = [&](const at::Tensor& of, int64_t y, int64_t x) {
    return of.slice(1, y - 3, y + 4).slice(2, x - 3, x + 4).mean().item<double>();
  };
  on_every_device([&](c10::Device device) {
    const at::Tensor image = image_of(geometry, head, device, RampWindow::SheppLogan);
    EXPECT_LT(relative_difference(image, truth), 0.16);
    // inside the head, in a ventricle, and in the tumour above: -20 %, and 10 % of the skull's contrast
    for (const auto& [y, x] : {std::pair<int64_t, int64_t>{160, 128}, {128, 156}, {83, 128}})
      EXPECT_NEAR(mean_at(image, y, x), mean_at(truth, y, x), 0.005);
  });
}

// Half the spacing of everything is the same disc at twice the attenuation.
TEST(Fbp, KnowsMillimetres) {
  ScanGeometry fine = scan();
  fine.pixel_mm = fine.detector_mm = 0.5;
  on_every_device([&](c10::Device device) {
    const at::Tensor coarse = image_of(scan(), kDisc, device);
    EXPECT_LT(largest_difference(image_of(fine, {{0, 0, 20, 20, 0, 0.04}}, device), 2 * coarse), 1e-6);
  });
}

// The windows in their order, sharpest first.
TEST(Fbp, SmootherWindowsGiveLessNoise) {
  torch::manual_seed(1);
  const at::Tensor noise = torch::randn({1, 180, 160});
  on_every_device([&](c10::Device device) {
    double before = INFINITY;
    for (const char* window : {"ram-lak", "shepp-logan", "cosine", "hamming", "hann"}) {
      const double now = fbp(noise.to(device), scan(), ramp_window(window)).std().item<double>();
      EXPECT_LT(now, before) << window;
      before = now;
    }
  });
}

// Every vector length gives the same picture of a stack longer than a group.
TEST(Fbp, IsTheSameAtEveryVectorLength) {
  torch::manual_seed(2);
  for (const Beam beam : {Beam::Parallel, Beam::FanFlat, Beam::FanCurved}) {
    const ScanGeometry geometry = fan(beam, 2 * M_PI, 70);
    const at::Tensor sino = torch::rand({18, 70, 220}), truth = fbp(sino, geometry);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      // positions are rounded at 1e-5 of a detector in another way
      EXPECT_LT(relative_difference(fbp(sino, geometry), truth), 1e-4) << hwy::TargetName(target);
    }
    hwy::SetSupportedTargetsForTest(0);
    EXPECT_LT(relative_difference(fbp(sino.narrow(0, 17, 1), geometry), truth.narrow(0, 17, 1)), 1e-6);
  }
}

TEST(Fbp, RefusesOtherShapesAndWindows) {
  EXPECT_THROW(fbp(torch::zeros({1, 180, 128}), scan()), Error);
  EXPECT_THROW(ramp_window("ramlak"), Error);
}

}  // namespace
}  // namespace lucivox
