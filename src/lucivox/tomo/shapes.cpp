#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/shapes.h>

namespace lucivox {
namespace {

at::Tensor stack_of(const at::Tensor& values, int64_t height, int64_t width, std::string_view what) {
  if (values.dim() != 3 || values.size(1) != height || values.size(2) != width) {
    throw Error::misuse(
        fmt::format("{} of shape [{}] where the scan's are [S, {}, {}]", what,
                    fmt::join(values.sizes().begin(), values.sizes().end(), ", "), height, width),
        "give the geometry of this scan, and a stack of slices even when there is only one");
  }
  return values.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace

at::Tensor as_image(const at::Tensor& image_SYX, const ParallelBeam& beam) {
  check(beam);
  return stack_of(image_SYX, beam.rows, beam.columns, "an image");
}

at::Tensor as_sinogram(const at::Tensor& sino_SVU, const ParallelBeam& beam) {
  check(beam);
  return stack_of(sino_SVU, beam.views(), beam.detectors, "a sinogram");
}

}  // namespace lucivox
