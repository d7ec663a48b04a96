#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Linear attenuation of water at about 70 keV, the mean energy of a 120 kVp beam behind its filters:
// 0.0192 1/mm (NIST XCOM: 0.193 1/cm). Air counts as 0.
inline constexpr double kWaterPerMm = 0.0192;

// HU = 1000 (mu - mu_water) / mu_water and back, any shape; mu in 1/mm.
at::Tensor hu_to_attenuation(const at::Tensor& hu);
at::Tensor attenuation_to_hu(const at::Tensor& per_mm);

// The share of the photons that a bow-tie filter lets through on a ray that passes the axis of rotation at
// `distance_mm`, 1 in the middle: exp(-share mu_water (L(0) - L(distance))), where L(s) = 2 sqrt(R^2 - s^2)
// is the path through a water cylinder of radius R around the axis, 0 outside of it. With share = 1 filter
// and cylinder together attenuate every ray alike, the ideal compensator (S. A. Graham et al., "Compensators
// for dose and scatter management in cone-beam computed tomography", Med. Phys. 34(7), 2007); filters of
// scanners make up for a part, so that thinner patients and the shoulders still get light. R = 0: no filter.
double bowtie_transmission(double distance_mm, double cylinder_radius_mm, double share);

// What a detector counts.
struct Dose {
  std::vector<double> photons_U;  // sent along each detector's ray: what it would count in air
  double electronic_sigma = 0;    // standard deviation of the read-out, in photons
  double minimum_count = 1;       // smaller counts are taken for this one, so that the logarithm exists
};

// The line integrals [V, U] that a scan of this dose measures: Beer and Lambert's law N = photons exp(-p),
// Poisson's counts around N, the electronics' normal noise, then -log(max(count, minimum) / photons), as
// D. Zeng et al. simulate low doses (IEEE Trans. Nucl. Sci. 62(5), 2015). float32 without unit; the same seed
// gives the same noise whatever the number of threads. Throws Error (misuse) when the dose is impossible or
// the tensor is not [any, photons].
at::Tensor measure(const at::Tensor& line_integrals_VU, const Dose& dose, uint64_t seed);

}  // namespace lucivox
