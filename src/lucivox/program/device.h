#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>

namespace lucivox {

// "cpu", "cuda" or "cuda:N". Throws Error (misuse) when there is no such device in this build or machine.
at::TensorOptions device_options(const std::string& device);

// That of a rank which is the `local`-th on its machine: of several GPUs each takes its own, unless one is
// named.
std::string device_of_rank(const std::string& device, int local);

// What libtorch says when a GPU's memory is used up, cut to what was asked and what there is.
std::string gpu_out_of_memory(const std::string& what);

// Whether this processor computes in half precision, and does not only round to it.
bool has_half_precision();

// Threads of our loops and of libtorch's.
void use_threads(int count);

// What `doctor` tells: version, processor and its vector instructions, memory, threads, libtorch, GPUs.
Json machine_report();

}  // namespace lucivox
