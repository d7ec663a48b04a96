#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/formats/kind.h>

namespace lucivox {

// What a folder holds. Its kind is that of most of its images, judged by their content: files, or folders
// with a DICOM series each. What is of another kind or not an image is a stray. Hidden files do not count.
struct ImageFolder {
  std::filesystem::path path;
  formats::Kind kind;
  std::vector<std::filesystem::path> images, strays;  // in natural order: "s2" before "s10"

  // Whether all its files are the slices of one image.
  bool is_series() const { return kind == formats::Kind::Dicom; }
};

// Throws Error when there is no such folder or no image in it, when it has as many images of one kind as of
// another, and when a file is not what its name says but should be one of the images: it would leave a hole.
ImageFolder image_folder(const std::filesystem::path& path);

// One line about the strays, with the first three names; empty when there are none.
std::string describe_strays(const ImageFolder& folder);

}  // namespace lucivox
