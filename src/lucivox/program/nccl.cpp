#define USE_C10D_NCCL
#include <cstdlib>
#include <map>
#include <string>

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <lucivox/base/error.h>
#include <lucivox/program/nccl.h>

namespace lucivox {
namespace {

// What NCCL would only tell in words of its own: two ranks on one GPU.
void require_own_gpus(c10d::Store& store, c10::Device device, int rank, int size) {
  cudaDeviceProp about{};
  if (cudaGetDeviceProperties(&about, device.index()) != cudaSuccess) return;
  const auto of = [](int one) { return fmt::format("gpu of rank {}", one); };
  store.set(of(rank), std::string(about.uuid.bytes, sizeof about.uuid.bytes));
  std::map<std::string, int> owners;
  for (int one = 0; one < size; ++one) {
    const auto [owner, first] = owners.emplace(store.get_to_str(of(one)), one);
    if (!first)
      throw Error::misuse(fmt::format("ranks {} and {} were given the same GPU", owner->second, one),
                          "start as many ranks on a machine as it has GPUs");
  }
}

}  // namespace

bool has_nccl() {
  return true;
}

c10::intrusive_ptr<c10d::Backend> nccl(const c10::intrusive_ptr<c10d::Store>& store, c10::Device device,
                                       int rank, int size, std::chrono::milliseconds patience) {
  require_own_gpus(*store, device, rank, size);
  // A lost rank ends the communication of the others, who then throw; by default the whole process is
  // aborted.
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", std::to_string(c10d::CleanUpOnly).c_str(), 0);
  const auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = patience;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
}

}  // namespace lucivox
