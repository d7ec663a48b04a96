#pragma once

#include <filesystem>

#include <lucivox/cli/command.h>
#include <lucivox/program/sweep.h>
#include <lucivox/program/training.h>

namespace lucivox {

// Tells how a training, or a sweep of them, ended; gives the command's exit code.
int print_training(const Context& context, const std::filesystem::path& run, const TrainingSummary& summary);
int print_sweep(const Context& context, const std::filesystem::path& folder, const SweepSummary& summary);

}  // namespace lucivox
