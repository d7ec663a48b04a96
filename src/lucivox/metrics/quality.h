#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>

namespace lucivox {

// How near an image is to the truth. `data_range` is the span that MSE is normalised by and that PSNR and SSIM
// refer to: for HU images the width of the intensity window (2048 HU).
struct Quality {
  double mse = 0;      // of values divided by data_range
  double psnr = 0;     // dB, 10 log10(1 / mse)
  double ssim = 0;
  double ms_ssim = 0;
  double rmse = 0;     // in the images' own units (HU)
};

// `image`, `truth`: [Y, X] in the same units; computed in double precision.
// PSNR of equal images is capped at 200 dB so that means stay finite.
Quality quality(const at::Tensor& image, const at::Tensor& truth, double data_range);

// Of every field; throws Error when empty.
Quality mean(const std::vector<Quality>& slices);

Json to_json(const Quality& quality);

}  // namespace lucivox
