#pragma once

#include <lucivox/kernels/cpu/arrival.h>
#include <lucivox/kernels/cpu/taps.h>

namespace lucivox::cpu {

// Poolings and upsamplings of channels-last float32 activations, with their gradients.

struct Pooling {
  int64_t kernel, stride, padding;
};

// y = the largest of each window; `winners`, contiguous and of y's shape, say which pixel of the window that
// was (row * kernel + column, the first of equals).
void max_pool(const Pixels<const float>& x, const Pooling& pooling, const Pixels<float>& y, float* winners);
void max_pool_gradient(const Pixels<const float>& dy, const Pooling& pooling, const float* winners,
                       const Arrival& arrival, const Pixels<float>& dx);

// Bilinear, from x's size to y's.
void upsample(const Pixels<const float>& x, Grids grids, const Pixels<float>& y);
void upsample_gradient(const Pixels<const float>& dy, Grids grids, const Arrival& arrival,
                       const Pixels<float>& dx);

}  // namespace lucivox::cpu
