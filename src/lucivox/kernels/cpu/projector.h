#pragma once

#include <lucivox/kernels/scan.h>

namespace lucivox::cpu {

// Line integrals of a stack: image_SYX in 1/mm gives sino_SVU without unit. Outside the image is 0.
// Contiguous arrays; the output is overwritten. A group of 16 slices costs what one does.
void project(const RayScan& scan, int64_t slices, const float* image_SYX, float* sino_SVU);

// The exact adjoint of project(): the same weights, from the same code. The output is overwritten. Neither
// depends on the number of threads.
void back_project(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX);

}  // namespace lucivox::cpu
