#include "projectors_cuda.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <lucivox/kernels/cpu/pixel_projector.h>
#include <lucivox/kernels/cpu/projector.h>
#include <lucivox/kernels/cuda/projector.h>
#include <lucivox/tomo/geometry.h>

namespace lucivox::bench {
namespace {

constexpr int64_t kSlices = 3, kViews = 180, kDetectors = 367, kSide = 256;
// Sums of some hundred float32 terms in another order, positions rounded at 1e-5 of a pixel.
constexpr double kBound = 2e-5;

using CpuProjector = void (*)(const RayScan&, int64_t, const float*, float*);
using DeviceProjector = void (*)(const RayScan&, int64_t, const float*, float*, cudaStream_t);

double error_of(CpuProjector cpu, DeviceProjector cuda, const RayScan& scan, const at::Tensor& input,
                at::IntArrayRef shape, c10::Device device) {
  const at::Tensor truth = at::empty(shape), on_device = input.to(device);
  const at::Tensor mine = at::full(shape, NAN, on_device.options());  // so that nothing unwritten passes
  cpu(scan, kSlices, input.const_data_ptr<float>(), truth.mutable_data_ptr<float>());
  cuda(scan, kSlices, on_device.const_data_ptr<float>(), mine.mutable_data_ptr<float>(),
       c10::cuda::getCurrentCUDAStream());
  return relative_error(mine, truth);
}

ScanGeometry scan_by(Beam beam) {
  return {.angles_rad = whole_turn(kViews),
          .detectors = kDetectors,
          .detector_mm = 1.4,
          .rows = kSide,
          .columns = kSide,
          .pixel_mm = 1.1,
          .centre = 180.2,
          .beam = beam,
          .source_mm = 600,
          .source_detector_mm = 1000};
}

}  // namespace

std::vector<Agreement> projectors_on(c10::Device device) {
  const at::Tensor image = at::rand({kSlices, kSide, kSide}), sino = at::rand({kSlices, kViews, kDetectors});
  std::vector<Agreement> found;
  for (const auto& [name, beam] :
       {std::pair("parallel", Beam::Parallel), std::pair("flat fan", Beam::FanFlat),
        std::pair("curved fan", Beam::FanCurved)}) {
    const RayScan scan = ray_scan(scan_by(beam));
    const auto compare = [&, beam_name = name](const char* what, CpuProjector cpu, DeviceProjector cuda,
                                               const at::Tensor& input, const at::Tensor& like) {
      found.push_back({fmt::format("{}, {}", what, beam_name),
                       error_of(cpu, cuda, scan, input, like.sizes(), device), kBound});
    };
    compare("projector", cpu::project, cuda::project, image, sino);
    compare("adjoint projector", cpu::back_project, cuda::back_project, sino, image);
    compare("back-projector of FBP", cpu::back_project_pixels, cuda::back_project_pixels, sino, image);
  }
  return found;
}

}  // namespace lucivox::bench
