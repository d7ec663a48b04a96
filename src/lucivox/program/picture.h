#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// What a display shows of the Hounsfield scale: black at centre - width / 2 and below, white at
// centre + width / 2 and above. The default is the usual lung window.
struct HuWindow {
  double centre = -600, width = 1500;
};

// The bytes of a PNG file. `picture`: uint8 [H, W] grey or [H, W, 3] sRGB. Throws Error when empty or larger
// than a PNG may be.
std::string png(const at::Tensor& picture);

// uint8 [H, W]; NaN is black. `hu_YX`: float32 [H, W]. Throws Error unless the window has a width.
at::Tensor grey(const at::Tensor& hu_YX, const HuWindow& window);

// sRGB uint8 [H, W, 3]: white at 0, red to +range_hu, blue to -range_hu, saturated beyond, grey for NaN.
// Lightness falls linearly and equally on both sides. Throws Error unless range_hu > 0.
at::Tensor difference(const at::Tensor& difference_hu_YX, double range_hu);

// Three views of one slice and how far two of them are from the third.
struct Triptych {
  at::Tensor low_dose, enhanced, full_dose;  // float32 [Y, X] in HU, one size
  HuWindow window;
  // 0: the 99th percentile of |low_dose - full_dose|, rounded up to a pleasant number.
  double difference_range_hu = 0;
  std::string title;
  std::vector<std::string> captions;  // under the three images, e.g. metrics; may be fewer
};

// A figure, sRGB uint8 [H, W, 3]. Top: the three images; bottom: low_dose - full_dose and enhanced -
// full_dose in one colour scale, and its colour bar. Images narrower than 384 pixels are enlarged by a whole
// factor. Throws Error when the images differ in size.
at::Tensor triptych(const Triptych& content);

}  // namespace lucivox
