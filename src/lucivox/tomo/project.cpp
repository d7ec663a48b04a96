#include <ATen/ATen.h>

#include <lucivox/kernels/cpu/projector.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/shapes.h>

namespace lucivox {

at::Tensor forward_project(const at::Tensor& image_SYX, const ParallelBeam& beam) {
  const at::Tensor image = as_image(image_SYX, beam);
  at::Tensor sino = at::empty({image.size(0), beam.views(), beam.detectors}, at::kFloat);
  cpu::project(scan_of(beam, image.size(0)), image.const_data_ptr<float>(), sino.mutable_data_ptr<float>());
  return sino;
}

at::Tensor adjoint_project(const at::Tensor& sino_SVU, const ParallelBeam& beam) {
  const at::Tensor sino = as_sinogram(sino_SVU, beam);
  at::Tensor image = at::empty({sino.size(0), beam.rows, beam.columns}, at::kFloat);
  cpu::back_project(scan_of(beam, sino.size(0)), sino.const_data_ptr<float>(),
                    image.mutable_data_ptr<float>());
  return image;
}

}  // namespace lucivox
