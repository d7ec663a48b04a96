#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/nn/model.h>

namespace lucivox {

// What a file of weights does not tell of its network.
struct ImportOptions {
  std::vector<int64_t> dilations{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};  // of msd_pytorch's layers, repeated
};

// A model from a PyTorch state dict (`torch.save(model.state_dict())`, also of a DataParallel model): the
// public DDNet reference, with the mapping of intensities that it uses, TomoGAN's generator, or a Mixed-Scale
// Dense network of msd_pytorch. Throws Error when it is of another network.
Model import_pytorch(const std::filesystem::path& path, const ImportOptions& options = {});

// TomoGAN's generator from its layers' weights and biases in the order of computation, whatever their names,
// convolutions [out, in, kernel, kernel]. Values are taken as they are: the public code scales none. `from`
// is for messages.
Model import_tomogan(const NamedTensors& layers, const std::string& from);

}  // namespace lucivox
