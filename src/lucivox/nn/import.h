#pragma once

#include <filesystem>
#include <string>

#include <lucivox/nn/model.h>

namespace lucivox {

// A model from a PyTorch state dict (`torch.save(model.state_dict())`, also of a DataParallel model): the
// public DDNet reference, with the mapping of intensities that it uses, or TomoGAN's generator. Throws Error
// when it is of another network.
Model import_pytorch(const std::filesystem::path& path);

// TomoGAN's generator from its layers' weights and biases in the order of computation, whatever their names,
// convolutions [out, in, kernel, kernel]. Values are taken as they are: the public code scales none. `from`
// is for messages.
Model import_tomogan(const NamedTensors& layers, const std::string& from);

}  // namespace lucivox
