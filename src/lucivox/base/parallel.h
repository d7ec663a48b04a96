#pragma once

#include <cstdint>
#include <functional>

namespace lucivox {

// Threads are those of the OpenMP runtime that libtorch uses too, so the two never oversubscribe the cores.
void set_threads(int count);
int threads();

// Calls body(i) for every i in [begin, end). Each thread begins with a part of its own, the same for every
// loop of this length, so that it finds in its cache what it wrote in the loop before; then it helps the
// others. An exception thrown by a body is rethrown here once no body runs any more.
void parallel_for(int64_t begin, int64_t end, const std::function<void(int64_t)>& body);

}  // namespace lucivox
