#pragma once

#include <span>
#include <string>

#include <lucivox/nn/networks/table.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox {

// A network that can be trained, and the defaults of its training.
struct Training {
  const char* network;  // of network_kinds()
  const char* what;     // for --help
  SupervisedOptions (*defaults)();
  bool
      window_of_data;  // whether values are mapped by the range of the slices where nothing is said, or in HU
  bool sweeps;         // whether `--sweep` compares ways to prune it
};

std::span<const Training> trainings();
// Throws Error (misuse) when the network is none of them.
const Training& training_of(const std::string& network);

}  // namespace lucivox
