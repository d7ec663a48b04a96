#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/fields.h>

namespace lucivox {

// The values that count as 0 and 1 for MSE, PSNR and SSIM (which presumes positive intensities). The default
// is for HU: air to dense bone.
struct QualityWindow {
  double low = -1024, high = 1024;
};

// How near an image is to the truth.
struct Quality {
  double mse = 0;   // of values in units of the window
  double psnr = 0;  // dB, 10 log10(1 / mse)
  double ssim = 0;
  double ms_ssim = 0;
  double rmse = 0;  // in the images' own units
  double bias = 0;  // mean of image - truth, in the images' own units

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("mse", self.mse);
    visit("psnr", self.psnr);
    visit("ssim", self.ssim);
    visit("ms_ssim", self.ms_ssim);
    visit("rmse", self.rmse);
    visit("bias", self.bias);
  }
};

// `image`, `truth`: [Y, X] in the same units; computed in double precision. Nothing is clipped to the window.
// PSNR of equal images is capped at 200 dB so that means stay finite. Throws Error (misuse) when the window's
// low is not below its high.
Quality quality(const at::Tensor& image, const at::Tensor& truth, const QualityWindow& window);

// Of every field; throws Error when empty.
Quality mean(const std::vector<Quality>& slices);

}  // namespace lucivox
