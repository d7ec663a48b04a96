#include <atomic>
#include <exception>
#include <mutex>
#include <vector>

#include <omp.h>

#include <lucivox/base/parallel.h>

namespace lucivox {
namespace {

// A thread's share of a loop. Each in a cache line of its own, as all of them count.
struct alignas(64) Share {
  std::atomic<int64_t> next;
  int64_t end = 0;
};

}  // namespace

void set_threads(int count) {
  omp_set_num_threads(count);
}
int threads() {
  return omp_get_max_threads();
}

void parallel_for(int64_t begin, int64_t end, const std::function<void(int64_t)>& body) {
  if (end - begin <= 1 || threads() == 1 || omp_in_parallel()) {
    for (int64_t i = begin; i < end; ++i) body(i);
    return;
  }
  const int64_t count = threads();
  std::vector<Share> shares(static_cast<size_t>(count));
  for (int64_t s = 0; s < count; ++s) {
    shares[static_cast<size_t>(s)].next = begin + (end - begin) * s / count;
    shares[static_cast<size_t>(s)].end = begin + (end - begin) * (s + 1) / count;
  }
  std::exception_ptr first;
  std::mutex mutex;
#pragma omp parallel
  for (int64_t s = 0; s < count; ++s) {
    Share& share = shares[static_cast<size_t>((omp_get_thread_num() + s) % count)];
    for (int64_t i = share.next++; i < share.end; i = share.next++) {
      try {
        body(i);
      } catch (...) {  // an exception must not leave an OpenMP region
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
      }
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace lucivox
