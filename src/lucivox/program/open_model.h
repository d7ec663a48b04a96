#pragma once

#include <filesystem>

#include <lucivox/base/progress.h>
#include <lucivox/nn/model.h>

namespace lucivox {

// A model from its file, or from the folder of a training run: its model, or, while the run is not finished,
// the best weights so far, which a note says. Throws Error as load_model() does, and when a run has no
// weights to take yet.
Model open_model(const std::filesystem::path& path, const Console& console);

}  // namespace lucivox
