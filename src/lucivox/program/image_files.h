#pragma once

#include <filesystem>
#include <utility>
#include <vector>

namespace lucivox {

// The images in a folder, sorted by name: files and folders (DICOM series) that are not hidden. Throws Error
// when there is no such folder or nothing in it.
std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder);

// Whether a folder holds image files side by side (TIFF, NIfTI, ...) rather than one DICOM series.
bool holds_single_images(const std::filesystem::path& folder);

// The images of two folders by equal names. Throws Error naming what has no partner.
std::vector<std::pair<std::filesystem::path, std::filesystem::path>> equally_named(
    const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace lucivox
