#pragma once

#include <filesystem>

#include <lucivox/nn/import.h>

namespace lucivox {

// A model from weights that others trained: a PyTorch state dict of the public DDNet, of TomoGAN's generator
// or of msd_pytorch (nn/import.h), or a HDF5 file (.h5, .hdf5): TomoGAN's generator by Keras, or a network of
// msdnet. Throws Error when it is of another network.
Model import_weights(const std::filesystem::path& path, const ImportOptions& options = {});

}  // namespace lucivox
