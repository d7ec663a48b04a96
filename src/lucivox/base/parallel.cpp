#include <exception>
#include <mutex>

#include <omp.h>

#include <lucivox/base/parallel.h>

namespace lucivox {

void set_threads(int count) {
  omp_set_num_threads(count);
}
int threads() {
  return omp_get_max_threads();
}

void parallel_for(int64_t begin, int64_t end, const std::function<void(int64_t)>& body) {
  std::exception_ptr first;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic) if (end - begin > 1)
  for (int64_t i = begin; i < end; ++i) {
    try {
      body(i);
    } catch (...) {  // an exception must not leave an OpenMP region
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace lucivox
