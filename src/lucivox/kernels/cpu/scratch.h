#pragma once

#include <cstddef>

#include <hwy/aligned_allocator.h>

namespace lucivox::cpu {

// What a thread works in at one time: alone, or together with those it shares its work among.
enum class Scratch { Blocks, Shared };

// Working memory of the calling thread, kept from call to call: fresh pages would cost as much as the work.
// Holds at least `floats`; what it held before may be anything.
template <Scratch purpose>
float* thread_scratch(size_t floats) {
  thread_local hwy::AlignedFreeUniquePtr<float[]> memory;
  thread_local size_t held = 0;
  if (floats > held) {
    memory = hwy::AllocateAligned<float>(floats);
    held = floats;
  }
  return memory.get();
}

}  // namespace lucivox::cpu
