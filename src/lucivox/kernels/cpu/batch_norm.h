#pragma once

#include <cstdint>

namespace lucivox::cpu {

// Batch norm in training over channels-last activations: contiguous float32 [rows][channels], where rows are
// all pixels of all images. Sums run in float over short blocks and in double over the blocks, in an order
// that does not depend on the number of threads: libtorch's channels-last kernels add hundreds of thousands
// of floats in a row and lose two to four digits of the variance.

struct Activations {
  int64_t rows, channels;
};

// Mean and (biased) variance of each channel.
void batch_statistics(const Activations& shape, const float* x, double* mean, double* variance);

// y = (x - mean) * scale + shift, each of [channels].
void normalise(const Activations& shape, const float* x, const float* mean, const float* scale,
               const float* shift, float* y);

// Sums over rows of dy and of dy * (x - mean).
void gradient_sums(const Activations& shape, const float* dy, const float* x, const float* mean,
                   double* sum_dy, double* sum_dy_x);

// dx = from_dy * dy + from_x * (x - mean) + shift, each of [channels].
void input_gradient(const Activations& shape, const float* dy, const float* x, const float* mean,
                    const float* from_dy, const float* from_x, const float* shift, float* dx);

}  // namespace lucivox::cpu
