#pragma once

#include <ATen/core/Tensor.h>

namespace lucivox {

inline constexpr double kAirHu = -1000;  // nothing attenuates less

// Where the values of a CT lie: the middles of the voxels are so far apart.
struct VoxelSize {
  double x_mm = 1, y_mm = 1;
};

// Slices of any shape in the middle of a square field of size * size pixels of `pixel_mm`, with air around:
// float32 [S, Y, X] in HU -> float32 [S, size, size], the mean over each pixel of voxels that have one value
// throughout. What is below air counts as air, as do voxels outside the field.
// Throws Error (misuse) when a size is not positive or the slices are not three-dimensional.
at::Tensor in_field(const at::Tensor& hu_SYX, const VoxelSize& voxel, int64_t size, double pixel_mm);

// Makes everything air that no view of a scan sees whole: `air` outside the circle of `radius_mm` around the
// middle of the slices [S, size, size], float32 and contiguous.
void keep_circle(at::Tensor& slices_SYX, double pixel_mm, double radius_mm, double air);

}  // namespace lucivox
