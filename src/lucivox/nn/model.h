#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <lucivox/image/border.h>
#include <lucivox/image/intensity.h>
#include <lucivox/nn/shrinking.h>
#include <lucivox/nn/weights.h>

namespace lucivox {

// What a model file holds: weights (safetensors, under the public reference's names) and, in its metadata,
// the graph, the intensity mapping, the border rule, the version, how it was trained and what was removed
// from it. Any lucivox opens any model.
struct Model {
  Weights weights;
  IntensityMapping intensity;
  std::string name;                                 // "ddnet-chest"; shown in derived images
  Json training;                                    // how it came to be: data, options, metrics
  std::string version;                              // of the lucivox that wrote it
  std::optional<Shrinking> removed = std::nullopt;  // of a network that was made smaller
  Border border = {};                               // what it was trained to read beyond an image's edge
};

void save_model(const std::filesystem::path& path, const Model& model);
// Throws Error when the file is missing, damaged, not a lucivox model, or its weights do not fit its graph.
Model load_model(const std::filesystem::path& path);

}  // namespace lucivox
