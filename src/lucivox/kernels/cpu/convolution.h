#pragma once

#include <lucivox/kernels/cpu/arrival.h>

namespace lucivox::cpu {

// Convolutions over channels-last float32 activations, padded by kernel / 2, with what stands before and
// behind them in a network done on the way, so that no activation is read or written twice. 3x3 and
// 5x5 kernels run by Winograd's algorithm (winograd.h), others directly. Results do not depend on the number
// of threads.

// Weights where they lie: those of tap (y, x) from input channel i to output channel o at
// weight[at(y kernel + x, i, o)]. `kernel` is odd and centred. From images of `rows` by `columns` pixels
// come (rows - 1) / stride + 1 by (columns - 1) / stride + 1.
struct Filters {
  const float* weight;
  int64_t in, out, kernel, stride;
  int64_t tap_step, in_step, out_step;

  int64_t at(int64_t tap, int64_t i, int64_t o) const { return tap * tap_step + i * in_step + o * out_step; }
  // The way back: in and out exchanged, the kernel turned by 180 degrees.
  Filters turned() const {
    return {weight + (kernel * kernel - 1) * tap_step, out, in, kernel, stride, -tap_step, out_step, in_step};
  }
};
// Of [out][in][kernel][kernel], contiguous.
inline Filters filters_of(const float* weight, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
  const int64_t taps = kernel * kernel;
  return {weight, in, out, kernel, stride, 1, taps, in * taps};
}

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
// `filters` are those of the forward pass, whose input has dx's size.
void convolution_gradient(const Pixels<const float>& dy, const Filters& filters,
                          const InputGradient& gradient, const Pixels<float>& dx);

}  // namespace lucivox::cpu
