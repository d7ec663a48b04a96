#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/field.h>

namespace lucivox {
namespace {

// How much of one pixel of the field is covered by voxels `first`, `first` + 1, ... of a line.
struct Cover {
  int64_t first = 0;
  std::vector<float> shares;
};

// Field and line of voxels have the same middle.
std::vector<Cover> covers(int64_t voxels, double voxel_mm, int64_t size, double pixel_mm) {
  const double ratio = pixel_mm / voxel_mm, middle = static_cast<double>(voxels) / 2;
  std::vector<Cover> all(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    const double begin = middle + (static_cast<double>(i) - static_cast<double>(size) / 2) * ratio;
    const double end = begin + ratio;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(begin)));
    const int64_t last = std::min(voxels, static_cast<int64_t>(std::ceil(end)));
    Cover& cover = all[static_cast<size_t>(i)];
    cover.first = first;
    for (int64_t v = first; v < last; ++v) {
      const double from = std::max(begin, static_cast<double>(v)),
                   to = std::min(end, static_cast<double>(v + 1));
      cover.shares.push_back(static_cast<float>((to - from) / ratio));
    }
  }
  return all;
}

// HU above air, so that what is not covered is 0.
float mean_over(const Cover& y, const Cover& x, const float* above_air, int64_t columns) {
  float sum = 0;
  for (size_t j = 0; j < y.shares.size(); ++j) {
    const float* row = above_air + (y.first + static_cast<int64_t>(j)) * columns + x.first;
    float along = 0;
    for (size_t i = 0; i < x.shares.size(); ++i) along += x.shares[i] * row[i];
    sum += y.shares[j] * along;
  }
  return sum;
}

}  // namespace

at::Tensor in_field(const at::Tensor& hu_SYX, const VoxelSize& voxel, int64_t size, double pixel_mm) {
  const bool possible = hu_SYX.dim() == 3 && size > 0 && pixel_mm > 0 && voxel.x_mm > 0 && voxel.y_mm > 0;
  if (!possible) {
    throw Error::misuse("a CT that cannot be placed in a field",
                        "slices are [S, Y, X]; voxels, pixels and the field are larger than 0");
  }
  const float air = static_cast<float>(kAirHu);
  const at::Tensor above = hu_SYX.to(at::kFloat).clamp_min(kAirHu).sub_(kAirHu).contiguous();
  const int64_t slices = above.size(0), rows = above.size(1), columns = above.size(2);
  const std::vector<Cover> y = covers(rows, voxel.y_mm, size, pixel_mm),
                           x = covers(columns, voxel.x_mm, size, pixel_mm);
  at::Tensor field = at::empty({slices, size, size}, at::kFloat);
  const float* from = above.const_data_ptr<float>();
  float* to = field.mutable_data_ptr<float>();
  parallel_for(0, slices * size, [&](int64_t line) {
    const float* slice = from + line / size * rows * columns;
    const Cover& across = y[static_cast<size_t>(line % size)];
    for (int64_t i = 0; i < size; ++i)
      to[line * size + i] = air + mean_over(across, x[static_cast<size_t>(i)], slice, columns);
  });
  return field;
}

void keep_circle(at::Tensor& slices_SYX, double pixel_mm, double radius_mm, double air) {
  const int64_t size = slices_SYX.size(1);
  const at::Tensor place = (at::arange(size, at::kDouble) - static_cast<double>(size - 1) / 2) * pixel_mm;
  const at::Tensor outside =
      place.square().unsqueeze(0) + place.square().unsqueeze(1) > radius_mm * radius_mm;
  slices_SYX.masked_fill_(outside, air);
}

}  // namespace lucivox
