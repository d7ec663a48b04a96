#pragma once

#include <filesystem>

#include <lucivox/nn/model.h>

namespace lucivox {

// A model from weights that others trained: a PyTorch state dict of the public DDNet or of TomoGAN's
// generator (nn/import.h), or TomoGAN's generator in a HDF5 file of Keras (.h5, .hdf5). Throws Error when it
// is of another network.
Model import_weights(const std::filesystem::path& path);

}  // namespace lucivox
