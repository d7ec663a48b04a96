#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// The weights in a HDF5 file that Keras wrote, of a whole model (`model.save("x.h5")`) or of weights alone:
// float32 under "LAYER/kernel" and so on, layer by layer in the model's order, in Keras's shapes
// (convolutions [kernel, kernel, in, out]). Throws Error when the file is missing, damaged or not Keras's.
std::vector<std::pair<std::string, at::Tensor>> read_keras_weights(const std::filesystem::path& path);

}  // namespace lucivox
