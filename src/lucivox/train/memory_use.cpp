#include <fstream>
#include <string>

#include <c10/core/CachingDeviceAllocator.h>

#include <lucivox/train/memory_use.h>

namespace lucivox {
namespace {

// What Linux tells behind "key  number kB" in a file of /proc; 0 when it does not.
double bytes_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    double kilobytes = 0;
    if (word == key && file >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

}  // namespace

double peak_memory(c10::Device device) {
  if (device.is_cpu()) return bytes_of("/proc/self/status", "VmHWM:");
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  constexpr size_t all = 0;  // of small and large blocks
  return static_cast<double>(stats.allocated_bytes.at(all).peak);
}

void forget_peak_memory(c10::Device device) {
  if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

FreeMemory free_memory(c10::Device device) {
  const double host = bytes_of("/proc/meminfo", "MemAvailable:");
  if (device.is_cpu()) return {host, host};
  const auto [free, total] = c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index());
  return {static_cast<double>(free), host};
}

}  // namespace lucivox
