#pragma once

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

enum class RampWindow {
  RamLak,  // the plain ramp up to the detector's Nyquist frequency
  Hann,    // the ramp times 0.5 (1 + cos(pi f / f_Nyquist)): smoother, less noise
};

// Filtered back-projection: float32 [S, V, U], line integrals -> float32 [S, Y, X] in 1/mm. The angles must
// cover a whole number of half turns evenly, or the values come out wrong. The ramp is the band-limited one,
// sampled in space (A. C. Kak and M. Slaney, "Principles of Computerized Tomographic Imaging", 1988,
// eq. 3.61), which has the right mean, unlike |f| sampled in frequency.
// Throws Error (misuse) when the sinogram does not have the geometry's shape.
at::Tensor fbp(const at::Tensor& sino_SVU, const ParallelBeam& beam, RampWindow window = RampWindow::RamLak);

}  // namespace lucivox
