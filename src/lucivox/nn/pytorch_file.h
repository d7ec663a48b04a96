#pragma once

#include <filesystem>

#include <lucivox/nn/weights.h>

namespace lucivox {

// The tensors of a PyTorch file written by torch.save (1.6 or newer): a state dict, or a dictionary that
// holds one under "state_dict", "model_state_dict" or "model". The pickle inside is read by a small
// interpreter that knows dictionaries, numbers, strings and tensors and calls nothing, so a hostile file
// can run no code. Throws Error when the file is missing, damaged or holds anything else.
NamedTensors read_pytorch_tensors(const std::filesystem::path& path);

}  // namespace lucivox
