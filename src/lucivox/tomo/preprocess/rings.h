#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lucivox {

// A detector column that answers a little wrongly draws a vertical stripe into the sinogram and a ring into
// the slice. Two ways to remove stripes, float32 [S, V, U] -> the same: S slices, V views, U detectors.
// Both throw Error (misuse) for another shape and impossible options, Error when a value is NaN or infinite.

struct WaveletFourier {
  int64_t levels = 4;  // stripes up to about 2^levels columns wide are removed
  double sigma = 1;    // in cycles over all views: how much a stripe may change from view to view
};

// The combined wavelet-Fourier filter (B. Münch, P. Trtik, F. Marone, M. Stampanoni, "Stripe and ring
// artifact removal with combined wavelet-Fourier filtering", Optics Express 17(10), 2009): in the vertical
// band of every level of a wavelet transform (db5), what changes with f cycles over the views is damped by
//   1 - exp(-f^2 / (2 sigma^2)).
// Good at wide and slowly changing stripes; takes with them what in the object is narrow and the same in all
// views, and rings near strong edges.
at::Tensor remove_stripes_wavelet_fourier(const at::Tensor& sino_SVU, const WaveletFourier& options = {});

// Sorting (N. T. Vo, R. C. Atwood, M. Drakopoulos, "Superior techniques for eliminating ring artifacts in
// X-ray micro-tomography", Optics Express 26(22), 2018, algorithm 3): each column's values are sorted, the
// sorted columns are smoothed by a median over `width` neighbouring ones, and the values go back to their
// views. Good at stripes narrower than width / 2 whose strength depends on the brightness; invents no rings.
// `width` is odd.
at::Tensor remove_stripes_sorting(const at::Tensor& sino_SVU, int64_t width = 21);

}  // namespace lucivox
