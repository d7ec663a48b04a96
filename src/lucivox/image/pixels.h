#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/image/image.h>

// Voxels as files store them <-> float32 values in physical units.
namespace lucivox {

// value = slope * stored + intercept
struct Calibration {
  double slope = 1, intercept = 0;

  bool operator==(const Calibration&) const = default;
};

inline Calibration calibration_of(const ImageInfo& info) {
  return {info.slope, info.intercept};
}
inline bool is_identity(const Calibration& calibration) {
  return calibration == Calibration{};
}

// The smallest and largest number that a type holds, of those that float64 has; for floating point the
// largest finite ones.
struct StoredRange {
  double low, high;
};

// The type of a tensor of stored voxels.
at::ScalarType tensor_type(Scalar scalar);
int64_t bytes_per_voxel(Scalar scalar);
StoredRange range_of(Scalar scalar);
bool is_float(Scalar scalar);

// Turns the byte order of every `width` bytes around.
void swap_bytes(std::vector<char>& bytes, size_t width);

// `stored`: `count` scalars in this machine's byte order, aligned.
void to_values(const void* stored, Scalar scalar, const Calibration& calibration, int64_t count,
               float* values);

// Integers are rounded to the nearest and saturated to `range`; `values` must be finite.
void to_stored(const float* values, int64_t count, const Calibration& calibration, Scalar scalar,
               const StoredRange& range, void* stored);

// The same for tensors of any shape: stored voxels (image.h) and their float32 values.
at::Tensor to_values(const at::Tensor& stored, const ImageInfo& info);
at::Tensor to_stored(const at::Tensor& values, const ImageInfo& info);

// `info` for a format that has no place for slope and intercept: the stored numbers are the values
// themselves, in a type that holds them. Hounsfield units of 8 or 16 bit scanners go to int16, other
// calibrated integers to float32.
ImageInfo without_calibration(ImageInfo info);

}  // namespace lucivox
