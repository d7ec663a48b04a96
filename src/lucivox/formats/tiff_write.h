#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include <lucivox/image/image.h>

// Every page has its own directory, and all directories precede the pixels, which follow page after page
// without a gap. Readers of pages find a stack, and so does ImageJ, which reads the first directory only and
// expects the pixels of all pages in one block.
namespace lucivox::formats {

enum class TiffKind {
  Classic,  // at most 4 GB
  Big,      // offsets of 64 bits; ImageJ cannot read it, and its description does not claim otherwise
};

// The kind that holds all of an image.
TiffKind tiff_kind(const ImageInfo& info);

// `stored`: all voxels [Z, Y, X] as info.scalar. Returns false when not all of it could be written.
bool write_tiff(const std::filesystem::path& path, TiffKind kind, const ImageInfo& info,
                const std::string& derivation, const std::byte* stored);

}  // namespace lucivox::formats
