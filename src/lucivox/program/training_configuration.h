#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/base/progress.h>
#include <lucivox/image/intensity.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/tomogan.h>
#include <lucivox/train/options.h>
#include <lucivox/train/pairs.h>

namespace lucivox {

enum class Architecture { Ddnet, Tomogan };

// What a training run is told, in the tables
//   data       train, validation: as open_pairs() takes them; validation may be left out
//   network    DDNet's growth, or TomoGAN's depth
//   intensity  kind, low, high, units: how physical values become the network's numbers
//   train      TrainOptions
struct TrainingConfiguration {
  Json train_data, validation_data;
  std::variant<DdnetOptions, TomoganOptions> network;
  IntensityMapping intensity;
  TrainOptions train;
  // What was not told and follows from TomoGAN's data.
  bool intensity_open = false, crop_open = false;

  Graph graph() const;
  // The files and folders that it names.
  std::vector<std::filesystem::path> files() const;
  // With every default filled in.
  Json resolved() const;
};

// Throws Error (misuse) for unknown keys and for what makes no sense.
TrainingConfiguration training_configuration(Architecture architecture, const Json& json);

// Closes what is open: the window from the smallest to the largest value of the full-dose slices, in their
// units, and crops of 512 pixels or as many as fit. Throws Error as the slices do, and when all have one
// value.
void complete(TrainingConfiguration& configuration, PairedSlices& training, const Console& console);

}  // namespace lucivox
