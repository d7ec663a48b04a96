#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <lucivox/train/ranks.h>

namespace lucivox {

// What stands behind Ranks: a group of c10d and where the tensors are that it sums.
class Ranks::Group {
 public:
  Group(c10::intrusive_ptr<c10d::Backend> backend, c10::Device device)
      : backend_(std::move(backend)), device_(device) {}

  c10d::Backend& backend() { return *backend_; }
  c10::Device device() const { return device_; }

 private:
  c10::intrusive_ptr<c10d::Backend> backend_;
  c10::Device device_;
};

}  // namespace lucivox
