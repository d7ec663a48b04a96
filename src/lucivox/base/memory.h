#pragma once

#include <lucivox/base/error.h>

namespace lucivox {

// Bytes that programs on this machine could still have, and that this one had at once, at most; 0 where the
// system does not tell.
double free_host_memory();
double peak_process_memory();

inline constexpr char kOutOfMemoryHint[] =
    "use smaller batches and crops (train.batch, train.crop), smaller slices, or a smaller network";
// What to throw when `asked` bytes are not there.
Error out_of_memory(double asked);

}  // namespace lucivox
