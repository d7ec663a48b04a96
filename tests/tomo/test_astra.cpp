// Against the ASTRA toolbox, which shares no line with us; tests/golden/make_astra.py tells the conventions.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/torch.h>

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

double sirt_error(const std::string& beam, const ScanGeometry& scan, int64_t iterations) {
  const at::Tensor image = sirt(stack(beam + ".sino"), scan, {.iterations = iterations}).image_SYX;
  return relative_difference(image, stack(fmt::format("{}.sirt{}", beam, iterations)));
}

TEST(Astra, ProjectsAsWeDo) {
  // Joseph's method on both sides: what is left is the rounding of positions, 1e-5 of a pixel
  EXPECT_LT(relative_difference(forward_project(stack("head"), parallel()), stack("parallel.sino")), 1e-4);
}

TEST(Astra, IteratesAsWeDo) {
  for (const int64_t iterations : {1, 10, 100})
    EXPECT_LT(sirt_error("parallel", parallel(), iterations), 0.01) << iterations;
}

TEST(Astra, BackProjectsAsWeDo) {
  const double error = relative_difference(fbp(stack("parallel.sino"), parallel()), stack("parallel.fbp"));
  EXPECT_LT(error, 0.05);
  std::cout << "fbp " << error << " ratio of sums "
            << (fbp(stack("parallel.sino"), parallel()).sum() / stack("parallel.fbp").sum()).item<double>()
            << "\n";
}

TEST(Astra, SeesFansAsWeDo) {
  std::cout << "A " << relative_difference(forward_project(stack("head"), parallel()), stack("parallel.sino"))
            << "\n";
  std::cout << "fan A " << relative_difference(forward_project(stack("head"), fan()), stack("fan.sino"))
            << "\n";
  for (const int64_t iterations : {1, 10, 100})
    std::cout << sirt_error("parallel", parallel(), iterations) << " fan "
              << sirt_error("fan", fan(), iterations) << "\n";
}

}  // namespace
}  // namespace lucivox
