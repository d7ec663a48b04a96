#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <lucivox/nn/weights.h>

namespace lucivox {

// The safetensors format: an 8-byte length, a JSON header, the tensors' bytes. Holds no code, so a file
// from anywhere is safe to open; lengths, types and offsets are checked before anything is copied.
struct TensorFile {
  NamedTensors tensors;
  std::map<std::string, std::string> metadata;
};

// Throws Error when the file is missing, truncated or damaged.
TensorFile read_safetensors(const std::filesystem::path& path);
// Written whole or not at all. Tensors of any layout and device; types float16/32/64, bfloat16, int32/64,
// uint8, bool.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace lucivox
