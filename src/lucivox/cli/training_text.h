#pragma once

#include <filesystem>

#include <lucivox/cli/command.h>
#include <lucivox/program/training.h>

namespace lucivox {

// Tells how a training ended; gives the command's exit code.
int print_training(const Context& context, const std::filesystem::path& run, const TrainingSummary& summary);

}  // namespace lucivox
