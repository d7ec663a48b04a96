#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/base/config.h>

namespace lucivox {

// A TOML file as JSON, with "key=value" assignments on top. An empty path gives an empty table.
// Throws Error when the file is missing or is not TOML, with the line.
Json read_configuration(const std::filesystem::path& path, const std::vector<std::string>& assignments);

}  // namespace lucivox
