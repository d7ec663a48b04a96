#pragma once

#include <lucivox/kernels/joseph.h>

namespace lucivox::cpu {

// Line integrals of a stack: image_SYX in 1/mm gives sino_SVU without unit. Outside the image is 0.
// Contiguous arrays; the output is overwritten. Threads share the views.
void project(const ParallelScan& scan, const float* image_SYX, float* sino_SVU);

// The exact adjoint of project(): the same weights, gathered pixel by pixel, so that no two threads
// write to one place and the sum has one order. The output is overwritten.
void back_project(const ParallelScan& scan, const float* sino_SVU, float* image_SYX);

// Sum over views of the sinogram interpolated linearly where each pixel's centre projects: the
// back-projection of FBP, without its factor pi / V. 0 beyond the detector. The output is overwritten.
void back_project_interpolated(const ParallelScan& scan, const float* sino_SVU, float* image_SYX);

}  // namespace lucivox::cpu
