#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <lucivox/image/image.h>

namespace lucivox::formats {

// All voxels [Z, Y, X] of a file as info.scalar, in this machine's byte order. Throws Error when some are
// missing.
using Load = std::function<std::vector<char>()>;

// A source for formats that are mostly compressed as a whole: the voxels are loaded at the first read and
// kept as they are stored.
std::unique_ptr<ImageSource> loaded_source(std::string name, ImageInfo info, Load load);

int64_t voxel_count(const ImageInfo& info);

}  // namespace lucivox::formats
