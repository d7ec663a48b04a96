#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lucivox::formats {

enum class Kind { Dicom, DicomSeries, Nifti, Nrrd, MetaImage, Png, Tiff, Hdf5 };

std::string to_string(Kind kind);

// The extension in small letters, ".nii.gz" as one; and those that are known.
std::string extension_of(const std::filesystem::path& path);
std::vector<std::string> known_extensions();

// The kind of a file, nothing when it is not an image that lucivox knows. Throws Error when the file cannot
// be read.
std::optional<Kind> kind_by_name(const std::filesystem::path& file);
std::optional<Kind> kind_by_content(const std::filesystem::path& file);

}  // namespace lucivox::formats
