// Of builds without CUDA: projections are computed on the CPU alone.

#include <lucivox/base/error.h>
#include <lucivox/tomo/ray_kernels.h>

namespace lucivox {

void project_on_gpu(Projecting, const RayScan&, const at::Tensor&, const at::Tensor&) {
  throw Error("this build projects on the CPU alone", "build with -DLUCIVOX_CUDA=ON, or use --device cpu");
}

}  // namespace lucivox
