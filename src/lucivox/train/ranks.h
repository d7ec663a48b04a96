#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// The processes that train one network together, each on its share of every batch (data parallelism), over
// libtorch's c10d. One process alone is a group of one, for which everything here is free. Copies are the
// same group. All functions throw Error, on every rank that is left, when another one is lost or does not
// answer in time.
class Ranks {
 public:
  class Group;        // of c10d; made by ranks_together() in process_group.h
  Ranks() = default;  // alone
  explicit Ranks(std::shared_ptr<Group> group) : group_(std::move(group)) {}

  int64_t rank() const;
  int64_t size() const;
  bool leads() const { return rank() == 0; }

  // Sums over ranks, in place; every rank gets the same bits. Tensors are contiguous, on the network's
  // device.
  void sum(const at::Tensor& values) const;
  // The same, while other work goes on; what it returns waits for the end.
  std::function<void()> sum_later(const at::Tensor& values) const;
  // From one rank to all others, in place; tensors may lie in host memory, too.
  void broadcast(const at::Tensor& values, int64_t from) const;
  // What every rank says, in their order.
  std::vector<std::string> gather(const std::string& text) const;

 private:
  std::shared_ptr<Group> group_;  // null: alone
};

// Throws Error, the same on every rank, unless all say the same of `subject` ("the training data").
void require_agreement(const Ranks& ranks, const std::string& subject, const std::string& mine);

}  // namespace lucivox
