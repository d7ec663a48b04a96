#pragma once

#include <filesystem>
#include <utility>
#include <vector>

#include <lucivox/base/reporter.h>

namespace lucivox {

// Notes what is left out of the images in `path`; nothing to say when it is a file or does not exist.
void note_strays(const std::filesystem::path& path, Reporter& reporter);

// The images of two folders with the same names, in natural order; strays are noted. Throws Error naming what
// has no partner, and as image_folder() does.
std::vector<std::pair<std::filesystem::path, std::filesystem::path>> pairs_by_name(
    const std::filesystem::path& a, const std::filesystem::path& b, Reporter& reporter);

}  // namespace lucivox
