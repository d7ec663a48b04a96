#include "traffic.h"

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <torch/csrc/autograd/profiler_kineto.h>
#include <unistd.h>

#include <lucivox/base/files.h>

namespace fs = std::filesystem;

namespace lucivox::bench {
namespace {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;

// Kinds by the beginning of the names that the record gives to copies.
const std::pair<const char*, const char*> kCopies[] = {{"Memcpy HtoD", "host_to_device"},
                                                       {"Memcpy DtoH", "device_to_host"},
                                                       {"Memcpy DtoD", "device_to_device"},
                                                       {"Memset", "memset"}};

// The record as a Chrome trace, the only form in which it tells bytes.
Json trace_of(const std::function<void()>& work) {
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  const std::set<ActivityType> activities{ActivityType::CPU, ActivityType::CUDA};
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  work();
  const auto result = profiler::disableProfiler();
  const fs::path path = fs::temp_directory_path() / ("lucivox-trace-" + std::to_string(getpid()) + ".json");
  result->save(path.string());
  const Json trace = Json::parse(read_file(path));
  fs::remove(path);
  return trace;
}

}  // namespace

Json traffic_of(const std::function<void()>& work) {
  Json bytes;
  for (const auto& [name, kind] : kCopies) bytes[kind] = 0;
  for (const Json& event : trace_of(work).at("traceEvents")) {
    for (const auto& [name, kind] : kCopies) {
      if (!event.value("name", "").starts_with(name) || !event.contains("args")) continue;
      bytes[kind] = bytes[kind].get<int64_t>() + event.at("args").value("bytes", int64_t{0});
    }
  }
  return bytes;
}

}  // namespace lucivox::bench
