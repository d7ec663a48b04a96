#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/base/reporter.h>
#include <lucivox/image/intensity.h>
#include <lucivox/program/trainings.h>
#include <lucivox/train/pairs.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox {

// The configuration of a training run, in the tables
//   data       train, validation: as open_pairs() takes them; without validation some slices of train are
//              held out (hold_out in pairs.h), unless it is false
//   network    the options of the network, with nn/networks
//   intensity  kind, low, high, units: how physical values become the network's numbers
//   train      SupervisedOptions
struct TrainingConfiguration {
  Json train_data, validation_data;
  const NetworkKind* kind;
  Json network;  // its options
  IntensityMapping intensity;
  SupervisedOptions train;
  // What is not given and follows from the data: the window, and crops.
  bool intensity_open = false, crop_open = false;

  Graph graph() const;
  // The files and folders that it names.
  std::vector<std::filesystem::path> files() const;
  // With every default filled in, but for what is open.
  Json resolved() const;
};

// Throws Error (misuse) for unknown keys and for what makes no sense.
TrainingConfiguration training_configuration(const Training& training, const Json& json);

// Closes what is open: the window from the smallest to the largest value of the full-dose slices, in their
// units, and crops of as many pixels as fit, if the default is too large. Throws Error as the slices do, and
// when all have one value.
void complete(TrainingConfiguration& configuration, PairedSlices& training, Reporter& reporter);

// The slices to learn from and those to validate on, which may be none.
Division open_division(const TrainingConfiguration& configuration, Reporter& reporter);

}  // namespace lucivox
