#pragma once

#include <lucivox/kernels/scan.h>

namespace lucivox::cpu {

// The back-projection of FBP, pixel by pixel: the sum over views of the sinogram interpolated linearly where
// each pixel's centre is seen, over the squared distance from the source (in units of source_mm) for fans. 0
// beyond the detector. Contiguous arrays; the output is overwritten. A group of 16 slices costs what one
// does.
void back_project_pixels(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX);

}  // namespace lucivox::cpu
