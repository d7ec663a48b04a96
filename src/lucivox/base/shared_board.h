#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lucivox {

// Memory in which the processes of one machine tell each other a few numbers: a microsecond, where messages
// take a thousand on a machine that is busy. One of them creates it under a name and the others open it; once
// all have, the name can go, so that nothing is left behind whatever ends them.
class SharedBoard {
 public:
  static constexpr size_t kBytes = 1 << 15;  // that each may tell at a time

  static SharedBoard create(const std::string& name, int rank, int size);
  static SharedBoard open(const std::string& name, int rank, int size);
  SharedBoard(SharedBoard&& other) noexcept;
  SharedBoard& operator=(SharedBoard&&) = delete;
  ~SharedBoard();

  static void forget(const std::string& name);

  // What every process tells, in the order of ranks, as many bytes as `mine`; it stays there until the next
  // call. Waits for the others: awake for a moment, then asleep. Throws std::runtime_error when one has
  // ended, or says nothing for minutes.
  std::vector<std::span<const std::byte>> exchange(std::span<const std::byte> mine);

 private:
  struct Place;  // of one process, in the memory

  SharedBoard(const std::string& name, int rank, int size, int flags);
  void await(int rank) const;

  int rank_, size_;
  Place* places_ = nullptr;
  uint32_t round_ = 0;
};

}  // namespace lucivox
