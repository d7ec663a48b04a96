#pragma once

#include <filesystem>
#include <string>

#include <lucivox/base/config.h>

namespace lucivox {

// Pixels along a side of a CT slice: what the cost of a network is told for.
inline constexpr int64_t kTypicalSide = 512;

// What a model file, a scan, an image or a folder of images says about itself. Throws Error when it is none
// of them.
Json describe_file(const std::filesystem::path& path);

// Keys and values as aligned lines; tables are indented.
std::string as_text(const Json& json, int indent = 0);

}  // namespace lucivox
