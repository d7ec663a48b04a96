#pragma once

#include <chrono>

#include <c10/core/Device.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace lucivox {

// Whether this build has NCCL, and all else of CUDA; a GPU may still be missing.
bool has_nccl();

// A group of GPUs, of which this rank has `device`. Throws Error (misuse) when two ranks have the same, Error
// in builds without CUDA.
c10::intrusive_ptr<c10d::Backend> nccl(const c10::intrusive_ptr<c10d::Store>& store, c10::Device device,
                                       int rank, int size, std::chrono::milliseconds patience);

}  // namespace lucivox
