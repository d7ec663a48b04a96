#pragma once

#include <torch/types.h>

#include <lucivox/kernels/cpu/pixels.h>

namespace lucivox {

// Views of tensors [N, H, W, C]; the channels may be a slice of more.
inline cpu::Pixels<const float> const_pixels(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.size(0), x.size(1), x.size(2), x.size(3), x.stride(2)};
}
inline cpu::Pixels<float> pixels(const at::Tensor& x) {
  return {x.mutable_data_ptr<float>(), x.size(0), x.size(1), x.size(2), x.size(3), x.stride(2)};
}

// Channels [first, first + channels) of a buffer with some more on both sides, all NaN: what is read or
// written beyond its slice is found.
inline at::Tensor slice_of_nan(const at::Tensor& values) {
  const at::Tensor wide =
      torch::full({values.size(0), values.size(1), values.size(2), values.size(3) + 5}, NAN);
  const at::Tensor slice = wide.narrow(3, 2, values.size(3));
  slice.copy_(values);
  return slice;
}

// The channels on both sides are still NaN.
inline bool sides_untouched(const at::Tensor& slice) {
  const int64_t pixels = slice.size(0) * slice.size(1) * slice.size(2), width = slice.size(3) + 5;
  const at::Tensor wide = slice.as_strided({pixels, width}, {width, 1}, 0);
  return wide.isnan().sum().item<int64_t>() == 5 * pixels;
}

inline at::Tensor as_nchw64(const at::Tensor& x) {
  return x.to(at::kDouble).permute({0, 3, 1, 2});
}

}  // namespace lucivox
