#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include <lucivox/train/memory_use.h>
#include <lucivox/train/ranks.h>

namespace lucivox {

// Where slices wait to be learnt from. A set that fits is staged once, as near to the arithmetic as it can be
// (DoLL, Chaturvedi et al., section 3.1); a larger one is read anew every epoch, ahead of its use.
enum class Staging {
  Device,     // in the memory of the device that trains
  Pinned,     // in memory that a GPU reads at full speed
  Memory,     // in ordinary memory
  Streaming,  // in their files
};

// "auto" leaves the choice to plan_staging(). Throws Error (misuse) for an unknown name.
inline constexpr char kStagingNames[] = "auto, device, pinned, memory or streaming";
void require_staging(const std::string& name);
std::string name_of(Staging staging);

// What is free where a rank is.
struct RankMemory {
  std::string machine, device;  // a CPU's is the machine's
  FreeMemory free;
};
// What each may count on, so that all plan alike: ranks that share a memory share what is free there, and
// the least counts.
FreeMemory share_of_each(const std::vector<RankMemory>& all);
// That of these ranks.
FreeMemory free_for_each(c10::Device device, const Ranks& ranks);

struct StagingPlan {
  Staging staging;
  std::string reason;  // "1.2 GB fit into half of the 70 GB that are free on cuda:0"
};

// The nearest place where `bytes` take no more than half of what is free. Throws Error (misuse) where the
// place that was asked for does not exist: pinned memory without a GPU.
StagingPlan plan_staging(const std::string& wanted, double bytes, c10::Device device, const FreeMemory& free);

}  // namespace lucivox
