#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

#include <lucivox/image/image.h>

namespace lucivox::formats {

// Writes a whole image to `pending`; `stored` holds all its voxels [Z, Y, X] as info.scalar. Returns false
// when not all of it could be written.
using Encode = std::function<bool(const std::filesystem::path& pending, const std::byte* stored)>;

// A sink for formats that are written from front to back, while regions come in any order: until commit() the
// voxels wait, as info.scalar, in an unnamed file beside the target, which the disk space is reserved for at
// once and which is gone when the process ends. write() may be called from several threads for regions that
// do not overlap.
std::unique_ptr<ImageSink> staged_sink(const std::filesystem::path& path, const ImageInfo& info,
                                       Encode encode);

}  // namespace lucivox::formats
