#pragma once

#include <filesystem>

#include <lucivox/base/config.h>

namespace lucivox {

// A TOML file as JSON: configurations, descriptions of scans. Throws Error when it is missing, is no TOML
// (with the line), or is larger than 1 MB.
Json read_toml(const std::filesystem::path& path);

}  // namespace lucivox
