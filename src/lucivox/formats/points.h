#pragma once

#include <array>
#include <filesystem>
#include <vector>

#include <lucivox/image/image.h>

namespace lucivox {

// Lists of places and boxes in a volume, from CSV files whose first line names the columns; others than those
// wanted are ignored. Errors name the file and the line.

// Columns z, y, x in voxels (the middle of the first one is 0), or z_um, y_um, x_um in micrometres; of a file
// with both, the voxels. In micrometres along z, y and x, where voxels are `spacing_um` apart. Throws Error
// when the file is missing, has no such columns, or holds anything but numbers in them.
std::vector<std::array<double, 3>> read_points(const std::filesystem::path& path,
                                               const std::array<double, 3>& spacing_um);

// Columns z0, y0, x0, z1, y1, x1: the first voxel, and the one behind the last. Throws Error as read_points()
// does, and for boxes that hold nothing.
std::vector<Region> read_boxes(const std::filesystem::path& path);

}  // namespace lucivox
