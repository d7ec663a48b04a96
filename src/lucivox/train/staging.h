#pragma once

#include <cstdint>
#include <string>

#include <c10/core/Device.h>

#include <lucivox/train/memory_use.h>

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

struct StagingPlan {
  Staging staging;
  std::string reason;  // "1.2 GB fit into half of the 70 GB that are free on cuda:0"
};

// The nearest place where `bytes` take no more than half of what is free. Throws Error (misuse) where the
// place that was asked for does not exist: pinned memory without a GPU.
StagingPlan plan_staging(const std::string& wanted, double bytes, c10::Device device, const FreeMemory& free);

}  // namespace lucivox
