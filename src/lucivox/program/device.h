#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>

namespace lucivox {

// "cpu", "cuda" or "cuda:N". Throws Error (misuse) when there is no such device in this build or machine.
at::TensorOptions device_options(const std::string& device);

// Threads of our loops and of libtorch's.
void use_threads(int count);

// What `doctor` tells: version, processor and its vector instructions, memory, threads, libtorch, GPUs.
Json machine_report();

}  // namespace lucivox
