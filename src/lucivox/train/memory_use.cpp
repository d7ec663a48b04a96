#include <c10/core/CachingDeviceAllocator.h>

#include <lucivox/base/memory.h>
#include <lucivox/train/memory_use.h>

namespace lucivox {

double peak_memory(c10::Device device) {
  if (device.is_cpu()) return peak_process_memory();
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  constexpr size_t all = 0;  // of small and large blocks
  return static_cast<double>(stats.allocated_bytes.at(all).peak);
}

void forget_peak_memory(c10::Device device) {
  if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

FreeMemory free_memory(c10::Device device) {
  const double host = free_host_memory();
  if (device.is_cpu()) return {host, host};
  const auto [free, total] = c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index());
  return {static_cast<double>(free), host};
}

}  // namespace lucivox
