#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/program/device.h>
#include <lucivox/program/nccl.h>

namespace lucivox {
namespace {

// The value behind "key : value" in /proc/cpuinfo, empty when there is none.
std::string cpu_info(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return {};
}

std::vector<std::string> vector_instructions() {
  std::vector<std::string> seen;
  std::istringstream flags(cpu_info("flags") + " " + cpu_info("Features"));
  for (std::string flag; flags >> flag;) {
    for (const char* known :
         {"avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "sve", "bf16"}) {
      if (flag == known) seen.push_back(flag);
    }
  }
  return seen;
}

double memory_bytes() {
  return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
}

}  // namespace

at::TensorOptions device_options(const std::string& device) {
  const at::TensorOptions options = at::TensorOptions().dtype(at::kFloat);
  if (device == "cpu") return options.device(at::kCPU);
  int index = 0;
  const std::string number = device.starts_with("cuda:") ? device.substr(5) : "0";
  const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), index);
  if ((device != "cuda" && !device.starts_with("cuda:")) || failure != std::errc() ||
      end != number.data() + number.size()) {
    throw Error::misuse(fmt::format("unknown device '{}'", device), "use cpu, cuda or cuda:N");
  }
  if (!torch::cuda::is_available() || index < 0 || index >= static_cast<int>(torch::cuda::device_count())) {
    throw Error::misuse(fmt::format("device {} is not available", device),
                        "`lucivox doctor` lists what this machine and build have");
  }
  // float32 means float32, where nothing else is asked for: cuDNN would round to TF32 by itself
  at::globalContext().setAllowTF32CuDNN(false);
  return options.device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

std::string device_of_rank(const std::string& device, int local) {
  const c10::DeviceIndex gpus = torch::cuda::device_count();
  if (device != "cuda" || gpus == 0) return device;
  if (gpus == 1) return "cuda:0";  // Slurm may show each rank its own GPU alone
  if (local >= gpus)
    throw Error::misuse(fmt::format("rank {} of this machine has no GPU, there are {}", local, gpus),
                        "start as many ranks on a machine as it has GPUs");
  return fmt::format("cuda:{}", local);
}

std::string gpu_out_of_memory(const std::string& what) {
  const std::string last = "is free.";
  const size_t end = what.find(last);
  return end == std::string::npos ? what.substr(0, what.find('\n')) : what.substr(0, end + last.size() - 1);
}

bool has_half_precision() {
  const std::vector<std::string> seen = vector_instructions();
  return std::any_of(seen.begin(), seen.end(), [](const std::string& one) {
    return one == "avx512_bf16" || one == "amx_bf16" || one == "bf16";
  });
}

void use_threads(int count) {
  set_threads(count);
  at::set_num_threads(count);  // MKL keeps a count of its own
}

Json machine_report() {
  return {{"version", version()},
          {"libtorch", TORCH_VERSION},
          {"processor", cpu_info("model name")},
          {"vector_instructions", vector_instructions()},
          {"libtorch_uses", at::get_cpu_capability()},
          {"threads", threads()},
          {"memory", human_bytes(memory_bytes())},
          {"cuda_in_this_build", has_nccl()},
          {"gpus", torch::cuda::device_count()}};
}

}  // namespace lucivox
