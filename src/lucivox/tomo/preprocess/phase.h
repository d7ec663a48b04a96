#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/preprocess/normalise.h>

namespace lucivox {

// How a coherent beam reaches the detector behind an object of one material, of refractive index
// 1 - delta + i beta.
struct Propagation {
  double pixel_mm = 0;     // detector pixel, seen at the object
  double distance_mm = 0;  // from object to detector
  double energy_keV = 0;
  double delta_beta = 0;  // delta / beta: 100 to 1000 for soft matter at 10 to 30 keV
};

// Paganin's phase retrieval (D. Paganin, S. C. Mayo, T. E. Gureyev, P. R. Miller, S. W. Wilkins, J.
// Microscopy 206, 2002, eq. 12): the projected thickness times mu = 4 pi beta / lambda, line integrals
//   -log F^-1[ F[T] / (1 + l^2 |k|^2) ],
//   l^2 = distance delta / mu = distance lambda (delta / beta) / (4 pi),
// with k in radians a mm. Transmission T float32 [V, Z, U] -> float32 [V, Z, U]: views, detector rows and
// columns. Edges are replicated outwards as far as the filter reaches; a filtered transmission below
// kSmallestTransmission counts as that.
// Throws Error (misuse) for another shape and an impossible propagation, Error when a value is NaN or
// infinite.
at::Tensor retrieve_phase(const at::Tensor& transmission_VZU, const Propagation& propagation);

// The rows of real neighbours that a slab needs on either side, so that its filtered transmission is that of
// the whole scan to within `tolerance` of the largest difference between rows. The filter decays with l
// above. Throws Error (misuse) for an impossible propagation and unless 0 < tolerance < 1.
int64_t phase_halo(const Propagation& propagation, double tolerance = 1e-3);

}  // namespace lucivox
