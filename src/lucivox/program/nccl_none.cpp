// Of builds without CUDA: there are no GPUs to make a group of.

#include <lucivox/base/error.h>
#include <lucivox/program/nccl.h>

namespace lucivox {

bool has_nccl() {
  return false;
}

c10::intrusive_ptr<c10d::Backend> nccl(const c10::intrusive_ptr<c10d::Store>&, c10::Device, int, int,
                                       std::chrono::milliseconds) {
  throw Error("this build has no NCCL", "build with -DLUCIVOX_CUDA=ON, or train on CPUs");
}

}  // namespace lucivox
