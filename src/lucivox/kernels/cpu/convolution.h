#pragma once

#include <lucivox/kernels/cpu/arrival.h>

namespace lucivox::cpu {

// Convolutions over channels-last float32 activations, padded by kernel / 2, with what stands before and
// behind them in a network done on the way, so that no activation is read or written twice. 3x3 and
// 5x5 kernels run by Winograd's algorithm (winograd.h), others directly. Results do not depend on the number
// of threads.

// [kernel][kernel][in][out], contiguous; `kernel` odd and centred. From images of `rows` by `columns` pixels
// come (rows - 1) / stride + 1 by (columns - 1) / stride + 1.
struct Filters {
  const float* weight;
  int64_t in, out, kernel, stride = 1;
};

// Forward: y = leaky_relu(conv(x normalised) + bias), slope 1 for no activation.
struct Response {
  const float* bias;    // [out]
  float slope;          // below 0
  const float* origin;  // [out], near the mean of y
  // [out]: sums over all pixels of y - origin and of its square
  double *sums, *squares;
};
// norm.scale may be null: x as it is.
void convolution(const Pixels<const float>& x, const Normalisation& norm, const Filters& filters,
                 const Response& response, const Pixels<float>& y);

// Backward: with dn the gradient of the normalised input, from_dn dn + from_x (x - mean) + shift arrives at
// x; all of [channels].
struct InputGradient {
  const float *mean, *from_dn, *from_x, *shift;
  Arrival arrival;
};
// `filters` are those of the forward pass turned by 180 degrees, in and out exchanged; the stride is that of
// the forward pass, whose input has dx's size.
void convolution_gradient(const Pixels<const float>& dy, const Filters& filters,
                          const InputGradient& gradient, const Pixels<float>& dx);

}  // namespace lucivox::cpu
