#include <fstream>
#include <string>

#include <c10/core/CachingDeviceAllocator.h>

#include <lucivox/train/memory_use.h>

namespace lucivox {
namespace {

double process_peak() {
  std::ifstream file("/proc/self/status");
  for (std::string key; file >> key;) {
    double kilobytes = 0;
    if (key == "VmHWM:" && file >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

}  // namespace

double peak_memory(c10::Device device) {
  if (device.is_cpu()) return process_peak();
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  constexpr size_t all = 0;  // of small and large blocks
  return static_cast<double>(stats.allocated_bytes.at(all).peak);
}

void forget_peak_memory(c10::Device device) {
  if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

}  // namespace lucivox
