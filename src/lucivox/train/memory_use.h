#pragma once

#include <c10/core/Device.h>

namespace lucivox {

// Bytes that were in use at once, at most: tensors on a GPU since forget_peak_memory(), the whole process on
// a CPU since it began.
double peak_memory(c10::Device device);
void forget_peak_memory(c10::Device device);

// Bytes that could still be had; on a CPU the device is the host.
struct FreeMemory {
  double device = 0, host = 0;
};
FreeMemory free_memory(c10::Device device);

}  // namespace lucivox
