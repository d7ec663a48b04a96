#include <fstream>
#include <string>

#include <fmt/format.h>

#include <lucivox/base/memory.h>
#include <lucivox/base/text.h>

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

double free_host_memory() {
  return bytes_of("/proc/meminfo", "MemAvailable:");
}

double peak_process_memory() {
  return bytes_of("/proc/self/status", "VmHWM:");
}

Error out_of_memory(double asked) {
  return Error(fmt::format("out of memory: {} more were needed, {} are free", human_bytes(asked),
                           human_bytes(free_host_memory())),
               kOutOfMemoryHint);
}

}  // namespace lucivox
