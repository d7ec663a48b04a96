#pragma once

#include <filesystem>

#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/program/training.h>

namespace lucivox {

// The main job from nothing, in minutes on 2 cores: simulate chest CT at full and at low dose, train DDNet by
// the hybrid schedule (dense, prune half of the free filters, retrain with the masks held), enhance slices
// that it has not seen.
struct DemoOptions {
  std::filesystem::path run = "runs/demo";
  uint64_t seed = 1;
  std::string device = "cpu";
};

// Replaces an earlier demo in the same folder and nothing else. Warns where an image of one value moves by
// more than 15 HU. Throws Error when the enhanced slices are not better than the low-dose ones by every
// metric, and as the parts do.
TrainingSummary demo(const DemoOptions& options, Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
