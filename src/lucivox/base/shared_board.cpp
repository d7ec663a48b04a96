#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lucivox/base/shared_board.h>

namespace lucivox {
namespace {

using Clock = std::chrono::steady_clock;

// Layers that are trained together end a few milliseconds apart where cores are shared with others, and a
// sleeper is late for the next one too. Whoever is awake gives way to all that can run.
constexpr std::chrono::microseconds kAwake{10000};
constexpr std::chrono::milliseconds kLook{100};  // whether the other one is still there
constexpr std::chrono::minutes kPatience{5};

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Sleeps until the number changes, at most kLook. Between processes, so not a private futex.
void sleep_while(const std::atomic<uint32_t>& number, uint32_t value) {
  const timespec limit{0, std::chrono::nanoseconds(kLook).count()};
  ::syscall(SYS_futex, &number, FUTEX_WAIT, value, &limit, nullptr, 0);
}

void wake_all(const std::atomic<uint32_t>& number) {
  ::syscall(SYS_futex, &number, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

// Also one that its parent has not asked about yet: "PID (name) Z ...". One that has not come yet has no
// number.
bool has_ended(pid_t process) {
  if (process == 0) return false;
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  return name_end == std::string::npos || line.compare(name_end, 3, ") Z") == 0;
}

}  // namespace

// Two answers, because who is first in the next round may write while others still read this one. Nobody is
// two rounds ahead: a round ends when all have told theirs.
struct SharedBoard::Place {
  alignas(64) std::atomic<uint32_t> round;
  std::atomic<uint32_t> gone;
  std::atomic<pid_t> process;
  alignas(64) std::byte told[2][kBytes];
};

SharedBoard SharedBoard::create(const std::string& name, int rank, int size) {
  return {name, rank, size, O_CREAT | O_EXCL};
}

SharedBoard SharedBoard::open(const std::string& name, int rank, int size) {
  return {name, rank, size, 0};
}

SharedBoard::SharedBoard(const std::string& name, int rank, int size, int flags) : rank_(rank), size_(size) {
  static_assert(std::atomic<uint32_t>::is_always_lock_free);
  const size_t bytes = sizeof(Place) * static_cast<size_t>(size);
  const int file = ::shm_open(("/" + name).c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (file < 0) fail("opening shared memory");
  // allocated, for a full /dev/shm kills whoever writes to it
  const int error = flags != 0 ? ::posix_fallocate(file, 0, static_cast<off_t>(bytes)) : 0;
  void* memory =
      error == 0 ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  if (error != 0) errno = error;
  ::close(file);
  if (memory == MAP_FAILED) fail("allocating shared memory");
  places_ = static_cast<Place*>(memory);  // all zero, as new files are
  places_[rank].process = ::getpid();
}

SharedBoard::SharedBoard(SharedBoard&& other) noexcept
    : rank_(other.rank_),
      size_(other.size_),
      places_(std::exchange(other.places_, nullptr)),
      round_(other.round_) {}

SharedBoard::~SharedBoard() {
  if (places_ == nullptr) return;
  places_[rank_].gone = 1;
  ::munmap(places_, sizeof(Place) * static_cast<size_t>(size_));
}

void SharedBoard::forget(const std::string& name) {
  ::shm_unlink(("/" + name).c_str());
}

// Rounds are compared by their difference, so that they may overflow.
void SharedBoard::await(int rank) const {
  const Place& place = places_[rank];
  const auto begin = Clock::now();
  while (true) {
    const uint32_t round = place.round.load(std::memory_order_acquire);
    if (static_cast<int32_t>(round - round_) >= 0) return;
    const auto waited = Clock::now() - begin;
    if (waited < kAwake) {
      ::sched_yield();
      continue;
    }
    if (place.gone != 0 || has_ended(place.process)) {
      if (place.round != round) continue;  // it told this round and ended then
      throw std::runtime_error(fmt::format("rank {} has ended", rank));
    }
    if (waited > kPatience) throw std::runtime_error(fmt::format("rank {} says nothing", rank));
    sleep_while(place.round, round);
  }
}

std::vector<std::span<const std::byte>> SharedBoard::exchange(std::span<const std::byte> mine) {
  Place& place = places_[rank_];
  ++round_;
  std::ranges::copy(mine, place.told[round_ % 2]);
  place.round.store(round_, std::memory_order_release);
  wake_all(place.round);
  std::vector<std::span<const std::byte>> all;
  for (int rank = 0; rank < size_; ++rank) {
    await(rank);
    all.emplace_back(places_[rank].told[round_ % 2], mine.size());
  }
  return all;
}

}  // namespace lucivox
