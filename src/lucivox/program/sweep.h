#pragma once

#include <lucivox/program/training.h>

namespace lucivox {

// Many trainings that differ in their sparse schedule alone, and the dense one that they are compared with.
enum class Sweep {
  Hybrid,  // none to all of the epochs dense, in fifths, then pruned as [train.sparsity] says (Chaturvedi et
           // al., figure 4c)
  Sparsity,  // 10 to 90 % by every criterion, after the dense epochs that [train.sparsity] says
};

struct SweepSummary {
  bool finished = false;  // false: stopped on request, to be resumed
  Json json;              // what summary.json holds
};

// What the sweep in this folder was started with. Throws Error when there is none.
Json sweep_configuration_of(const std::filesystem::path& folder);

// Every point is an ordinary run in a folder of its own inside job.run. They share the seed, and so their
// dense epochs, which are computed once: a run branches off the one before (branch_checkpoint) and gives the
// same bits as if it were trained alone. Resuming skips finished runs and goes on with the one under way.
// Points that cannot be, such as 2:4 at 10 %, are left out with a note. In the end job.run holds summary.json
// and report.html. Throws Error without validation data, and as run_training() does.
SweepSummary run_sweep(Sweep sweep, const TrainingJob& job, Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
