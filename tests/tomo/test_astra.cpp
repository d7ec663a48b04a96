// Against the ASTRA toolbox, which shares no line with us; tests/golden/make_astra.py tells the conventions.
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/nn/safetensors.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/sirt.h>

namespace lucivox {
namespace {

at::Tensor golden(const std::string& name) {
  static const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/astra.safetensors");
  for (const auto& [key, tensor] : file.tensors) {
    if (key == name) return tensor;
  }
  throw std::out_of_range(name);
}

// One slice.
at::Tensor stack(const std::string& name) {
  return golden(name).unsqueeze(0);
}

ScanGeometry parallel() {
  return {.angles_rad = half_turn(90), .detectors = 120, .detector_mm = 1.1, .rows = 88, .columns = 96};
}

ScanGeometry fan() {
  return {.angles_rad = whole_turn(90),
          .detectors = 120,
          .detector_mm = 1.75,
          .rows = 88,
          .columns = 96,
          .beam = Beam::FanFlat,
          .source_mm = 180,
          .source_detector_mm = 300};
}

double sirt_error(const std::string& beam, const ScanGeometry& scan, int64_t iterations, c10::Device device) {
  const at::Tensor image = sirt(stack(beam + ".sino").to(device), scan, {.iterations = iterations}).image_SYX;
  return relative_difference(image, stack(fmt::format("{}.sirt{}", beam, iterations)));
}

// Joseph's method on both sides: what is left is the rounding of positions, 1e-5 of a pixel.
TEST(Astra, ProjectsAsWeDo) {
  on_every_device([](c10::Device device) {
    const at::Tensor mine = forward_project(stack("head").to(device), parallel());
    EXPECT_LT(relative_difference(mine, stack("parallel.sino")), 5e-5);
  });
}

TEST(Astra, IteratesAsWeDo) {
  on_every_device([](c10::Device device) {
    for (const int64_t iterations : {1, 10, 100})
      EXPECT_LT(sirt_error("parallel", parallel(), iterations, device), 1e-4) << iterations;
  });
}

// The ramp is the same, but ASTRA back-projects with the adjoint of Joseph's method and we interpolate at
// every pixel: that is a matter of single pixels, and fades in means over some. (Had one side sampled |f|
// instead of the band-limited ramp, 3 % would be left in the means.)
TEST(Astra, BackProjectsAsWeDo) {
  const at::Tensor theirs = stack("parallel.fbp");
  on_every_device([&](c10::Device device) {
    const at::Tensor mine = fbp(stack("parallel.sino").to(device), parallel());
    EXPECT_LT(relative_difference(mine, theirs), 0.05);
    EXPECT_LT(relative_difference(at::avg_pool2d(mine, 4), at::avg_pool2d(theirs, 4)), 0.01);
  });
}

// For fans ASTRA's model of a ray is a strip as wide as a detector, ours a line. ASTRA's own two models,
// strips and chords, are so far apart in the same sinogram and images: we must be nearer to the strips than
// that.
TEST(Astra, SeesFansAsWeDo) {
  on_every_device([](c10::Device device) {
    EXPECT_LT(relative_difference(forward_project(stack("head").to(device), fan()), stack("fan.sino")),
              golden("between_models.fan.sino").item<double>());
    for (const int64_t iterations : {1, 10, 100}) {
      EXPECT_LT(sirt_error("fan", fan(), iterations, device),
                golden(fmt::format("between_models.fan.sirt{}", iterations)).item<double>());
    }
  });
}

}  // namespace
}  // namespace lucivox
