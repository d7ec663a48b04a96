#pragma once

#include <ATen/core/Tensor.h>

namespace lucivox {

// One level of the two-dimensional discrete wavelet transform with Daubechies' wavelet db5 (10 taps, 5
// vanishing moments; I. Daubechies, "Ten Lectures on Wavelets", SIAM, 1992, table 6.1), periodic at the ends.
// The transform is orthonormal: energies add up and recompose(decompose(x)) is x to rounding.
struct Bands {
  at::Tensor smooth;      // low frequencies along both axes
  at::Tensor vertical;    // low along rows' order (axis 0), high along columns (axis 1): vertical stripes
  at::Tensor horizontal;  // high along axis 0, low along axis 1
  at::Tensor diagonal;    // high along both
};

// float32 [2 N, 2 M] on the CPU -> four bands of [N, M]. Sizes must be even and positive.
Bands decompose(const at::Tensor& image);

// The inverse: [N, M] four times -> [2 N, 2 M].
at::Tensor recompose(const Bands& bands);

}  // namespace lucivox
