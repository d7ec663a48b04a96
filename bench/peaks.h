#pragma once

namespace lucivox::bench {

// What this machine can do at best, on all threads: the measure for what a kernel reaches. Both are the best
// of several runs of some tens of milliseconds, since a neighbour can only make them slower.

// Fused multiply-adds of single floats a second: a loop over registers alone, in the widest vectors that the
// kernels would choose here.
double peak_fma_per_s();

// Bytes a second, those read and those written together, when arrays that no cache holds are copied.
double copy_bytes_per_s();

}  // namespace lucivox::bench
