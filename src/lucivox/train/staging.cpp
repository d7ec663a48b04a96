#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <lucivox/base/config.h>
#include <lucivox/base/error.h>
#include <lucivox/base/text.h>
#include <lucivox/train/staging.h>

namespace lucivox {
namespace {

constexpr double kShare = 0.5;  // of what is free
constexpr std::array<std::pair<const char*, Staging>, 4> kStagings{{{"device", Staging::Device},
                                                                    {"pinned", Staging::Pinned},
                                                                    {"memory", Staging::Memory},
                                                                    {"streaming", Staging::Streaming}}};

std::string fits(double bytes, double free, const std::string& where) {
  return fmt::format("{} fit into half of the {} that are free {}", human_bytes(bytes), human_bytes(free),
                     where);
}

}  // namespace

void require_staging(const std::string& name) {
  if (name == "auto") return;
  for (const auto& [known, staging] : kStagings) {
    if (name == known) return;
  }
  throw Error::misuse(fmt::format("unknown staging '{}'", name), fmt::format("use {}", kStagingNames));
}

std::string name_of(Staging staging) {
  return kStagings.at(static_cast<size_t>(staging)).first;
}

FreeMemory share_of_each(const std::vector<RankMemory>& all) {
  FreeMemory least = all.front().free;
  for (const RankMemory& mine : all) {
    double on_machine = 0, on_device = 0;  // ranks
    for (const RankMemory& other : all) {
      if (other.machine != mine.machine) continue;
      ++on_machine;
      if (other.device == mine.device) ++on_device;
    }
    least.host = std::min(least.host, mine.free.host / on_machine);
    least.device = std::min(least.device, mine.free.device / on_device);
  }
  return least;
}

FreeMemory free_for_each(c10::Device device, const Ranks& ranks) {
  std::array<char, 256> machine{};
  ::gethostname(machine.data(), machine.size() - 1);
  const FreeMemory free = free_memory(device);
  const Json mine{machine.data(), device.str(), free.device, free.host};
  std::vector<RankMemory> all;
  for (const std::string& text : ranks.gather(mine.dump())) {
    const Json said = Json::parse(text);
    all.push_back({said.at(0), said.at(1), {said.at(2), said.at(3)}});
  }
  return share_of_each(all);
}

StagingPlan plan_staging(const std::string& wanted, double bytes, c10::Device device,
                         const FreeMemory& free) {
  require_staging(wanted);
  for (const auto& [name, staging] : kStagings) {
    if (wanted != name) continue;
    if (staging == Staging::Pinned && device.is_cpu())
      throw Error::misuse("pinned memory is for training on a GPU", "use memory, or --device cuda");
    return {staging, "as asked"};
  }
  if (bytes <= kShare * free.device) {
    return {Staging::Device, fits(bytes, free.device, "on " + device.str())};
  }
  if (!device.is_cpu() && bytes <= kShare * free.host) {
    return {Staging::Pinned, fits(bytes, free.host, "beside " + device.str())};
  }
  return {Staging::Streaming, fmt::format("{} do not fit into half of the {} that are free",
                                          human_bytes(bytes), human_bytes(free.host))};
}

}  // namespace lucivox
