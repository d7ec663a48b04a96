#pragma once

#include <filesystem>

#include <lucivox/base/reporter.h>

namespace lucivox {

// The model file that `path` names: itself, or of the folder of a training run its model, or, while the run
// is not finished, the best weights so far, which a note says. Throws Error when `path` does not exist, is
// another folder, or is a run without weights to take.
std::filesystem::path model_file(const std::filesystem::path& path, Reporter& reporter);

}  // namespace lucivox
