#pragma once

#include <vector>

#include <ATen/Context.h>
#include <c10/core/Device.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

// The CPU and, where there is one, a GPU.
inline std::vector<c10::Device> devices() {
  std::vector<c10::Device> all{c10::Device(c10::kCPU)};
  if (torch::cuda::is_available()) all.emplace_back(c10::kCUDA, 0);
  return all;
}

// Runs a test once on each of them. In float32 throughout, for which tolerances are made: unless a training
// says so, cuDNN rounds what its convolutions read to TF32's 10 bits.
template <typename Test>
void on_every_device(const Test& test) {
  at::globalContext().setAllowTF32CuDNN(false);
  for (const c10::Device device : devices()) {
    SCOPED_TRACE(device.str());
    test(device);
  }
}
