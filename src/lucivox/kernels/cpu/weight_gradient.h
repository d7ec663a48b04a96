#pragma once

#include <lucivox/kernels/cpu/pixels.h>

namespace lucivox::cpu {

// The gradient of a convolution's weights, over channels-last float32 activations; 3x3 and 5x5
// kernels run by Winograd's algorithm (winograd.h). dw[ky][kx][i][o] = sum over pixels of dy[pixel][o] times
// x[stride pixel shifted by (ky, kx)][i], x normalised on reading (norm.scale may be null: as it is), zeros
// around the image. dw is [kernel][kernel][in][out], contiguous, and is overwritten. Sums run over short
// blocks in registers, then in an order that does not depend on the number of threads.
void weight_gradient(const Pixels<const float>& x, const Normalisation& norm, const Pixels<const float>& dy,
                     int64_t kernel, int64_t stride, float* dw);

// sums[ky][kx][o] = sum of dy[pixel][o] over the pixels that tap (ky, kx) takes to one of x, of which only
// the size is read: the gradient of the weights for an input of ones. The middle tap's is the bias's
// gradient.
void tap_sums(const Pixels<const float>& x, const Pixels<const float>& dy, int64_t kernel, int64_t stride,
              double* sums);

}  // namespace lucivox::cpu
