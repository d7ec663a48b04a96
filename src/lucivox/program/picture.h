#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// What a display shows of an image's values: black at centre - width / 2 and below, white at
// centre + width / 2 and above. The default is the usual lung window.
struct DisplayWindow {
  double centre = -600, width = 1500;
  std::string units = "HU";
};
constexpr double kSoftTissueCentre = 40, kSoftTissueWidth = 400;  // HU, the usual window of the mediastinum

// The bytes of a PNG file. `picture`: uint8 [H, W] grey or [H, W, 3] sRGB. Throws Error when empty or larger
// than a PNG may be.
std::string png(const at::Tensor& picture);

// uint8 [H, W]; NaN is black. `values_YX`: float32 [H, W]. Throws Error unless the window has a width.
at::Tensor grey(const at::Tensor& values_YX, const DisplayWindow& window);

// sRGB uint8 [H, W, 3]: white at 0, red to +range, blue to -range, saturated beyond, grey for NaN.
// Lightness falls linearly and equally on both sides. Throws Error unless range > 0.
at::Tensor difference(const at::Tensor& difference_YX, double range);

// Three views of one slice and how far two of them are from the third.
struct Triptych {
  at::Tensor low_dose, enhanced, full_dose;             // float32 [Y, X] one size, in the windows' units
  std::vector<DisplayWindow> windows{DisplayWindow{}};  // a row of pictures for each
  // 0: the 99th percentile of |low_dose - full_dose|, rounded up to a pleasant number.
  double difference_range = 0;
  std::string title;
  std::vector<std::string> captions;  // under the three images, e.g. metrics; may be fewer
};

// A figure, sRGB uint8 [H, W, 3]. Top: the three images in each window, and their middle, enlarged, in each
// window; bottom: low_dose - full_dose and enhanced - full_dose in one colour scale, and its colour bar.
// Images narrower than 384 pixels are enlarged by a whole factor. Throws Error when the images differ in size
// or there is no window.
at::Tensor triptych(const Triptych& content);

}  // namespace lucivox
