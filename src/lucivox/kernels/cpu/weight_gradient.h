#pragma once

#include <cstdint>

namespace lucivox::cpu {

// A stride-1 convolution over channels-last activations that keeps the size: x is
// [images][rows][columns][in], y [images][rows][columns][out], the kernel is square, odd, and centred, with
// zeros around the image.
struct ConvolutionShape {
  int64_t images, rows, columns, in, out, kernel;
};

// dw[ky][kx][i][o] = sum over pixels of dy[pixel][o] * x[pixel shifted by (ky, kx)][i]. Contiguous float32;
// dw is overwritten. Runs of kRun pixels are added up in registers, then in an order that does not depend on
// the number of threads.
void weight_gradient(const ConvolutionShape& shape, const float* x, const float* dy, float* dw);

}  // namespace lucivox::cpu
