#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <lucivox/kernels/cuda/projector.h>
#include <lucivox/tomo/ray_kernels.h>

namespace lucivox {

void project_on_gpu(Projecting what, const RayScan& scan, const at::Tensor& from, const at::Tensor& to) {
  const c10::cuda::CUDAGuard device(from.device());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  const float* values = from.const_data_ptr<float>();
  float* result = to.mutable_data_ptr<float>();
  switch (what) {
    case Projecting::Forward:
      return cuda::project(scan, from.size(0), values, result, stream);
    case Projecting::Adjoint:
      return cuda::back_project(scan, from.size(0), values, result, stream);
    case Projecting::Pixels:
      return cuda::back_project_pixels(scan, from.size(0), values, result, stream);
  }
}

}  // namespace lucivox
