#include <ATen/ops/empty.h>

#include <lucivox/kernels/cpu/pixel_projector.h>
#include <lucivox/kernels/cpu/projector.h>
#include <lucivox/tomo/ray_kernels.h>

namespace lucivox {
namespace {

using Kernel = void (*)(const RayScan& scan, int64_t slices, const float* from, float* to);

at::Tensor run(Projecting what, Kernel on_cpu, const RayScan& scan, const at::Tensor& from,
               at::IntArrayRef shape) {
  at::Tensor to = at::empty(shape, from.options());
  if (from.is_cpu()) {
    on_cpu(scan, from.size(0), from.const_data_ptr<float>(), to.mutable_data_ptr<float>());
  } else {
    project_on_gpu(what, scan, from, to);
  }
  return to;
}

}  // namespace

at::Tensor project(const RayScan& scan, const at::Tensor& image_SYX) {
  return run(Projecting::Forward, cpu::project, scan, image_SYX,
             {image_SYX.size(0), scan.views, scan.detectors});
}

at::Tensor back_project(const RayScan& scan, const at::Tensor& sino_SVU) {
  return run(Projecting::Adjoint, cpu::back_project, scan, sino_SVU,
             {sino_SVU.size(0), scan.rows, scan.columns});
}

at::Tensor back_project_pixels(const RayScan& scan, const at::Tensor& sino_SVU) {
  return run(Projecting::Pixels, cpu::back_project_pixels, scan, sino_SVU,
             {sino_SVU.size(0), scan.rows, scan.columns});
}

}  // namespace lucivox
