#pragma once

#include <atomic>

namespace lucivox {

// Asks long work to end soon with its results saved. The command sets the flag from its signal handler
// (a lock-free atomic is safe there); the library only reads it.
class StopToken {
 public:
  StopToken() = default;  // never stops
  explicit StopToken(const std::atomic<bool>& flag) : flag_(&flag) {}

  bool stop_requested() const { return flag_ != nullptr && flag_->load(std::memory_order_relaxed); }

 private:
  const std::atomic<bool>* flag_ = nullptr;
};

}  // namespace lucivox
