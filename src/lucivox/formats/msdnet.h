#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Whether a HDF5 file is one that msdnet's Network.to_file() wrote, with its group "network".
bool is_msdnet_file(const std::filesystem::path& path);

// The arrays of that group as float32 under their names: "dl" (dilations), "f/00000", ... (filters), "o",
// "w", "oo" and, where it has them, "gam_in", "off_in", "gam_out" and "off_out". Throws Error when the file
// is missing, damaged or another.
std::vector<std::pair<std::string, at::Tensor>> read_msdnet(const std::filesystem::path& path);

}  // namespace lucivox
