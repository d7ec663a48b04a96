#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <lucivox/base/error.h>
#include <lucivox/image/image.h>
#include <lucivox/image/pixels.h>

// What every reader asks of a file before it believes its header.
namespace lucivox::formats {

// "cannot read PATH: WHY", with the hint that fits a damaged file.
Error damaged(const std::filesystem::path& path, std::string_view why);
Error in_colour(const std::filesystem::path& path);

// The most that a byte of a file can become when it is decompressed. Deflate: 1032 by design (RFC 1951). The
// codecs of TIFF, DICOM and HDF5 reach further on constant images; this bound only has to stop headers that
// lie.
inline constexpr double kUncompressed = 1, kDeflate = 1032, kAnyCodec = 100'000;

// Throws Error when `shape` has an axis below 1, or needs more voxels than `file_bytes` can expand to.
// To be called before anything of that size is allocated.
void require_plausible(const std::filesystem::path& path, const std::array<int64_t, 3>& shape, Scalar scalar,
                       uint64_t file_bytes, double expansion);

// The first `count` bytes of a file, fewer when it is shorter. Throws Error when it cannot be read.
std::string first_bytes(const std::filesystem::path& file, size_t count);

// Text of unknown encoding as UTF-8: what is not valid UTF-8 is taken for Latin-1. Zeros and blanks at the
// end go.
std::string clean_text(std::string_view text);

}  // namespace lucivox::formats
