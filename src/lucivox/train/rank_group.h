#pragma once

#include <optional>

#include <ATen/core/Tensor.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <lucivox/base/shared_board.h>
#include <lucivox/train/ranks.h>

namespace lucivox {

// What stands behind Ranks: a group of c10d, where the tensors are that it sums, and a board where all are on
// one machine.
class Ranks::Group {
 public:
  Group(c10::intrusive_ptr<c10d::Backend> backend, c10::Device device, std::optional<SharedBoard> board = {})
      : backend_(std::move(backend)), device_(device), board_(std::move(board)) {}

  c10d::Backend& backend() { return *backend_; }
  c10::Device device() const { return device_; }
  SharedBoard* board() { return board_ ? &*board_ : nullptr; }

 private:
  c10::intrusive_ptr<c10d::Backend> backend_;
  c10::Device device_;
  std::optional<SharedBoard> board_;
};

}  // namespace lucivox
