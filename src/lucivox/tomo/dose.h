#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Linear attenuation of water at about 70 keV, the mean energy of a 120 kVp beam behind its filters:
// 0.0192 1/mm (NIST XCOM: 0.193 1/cm). Air counts as 0.
inline constexpr double kWaterPerMm = 0.0192;

// HU = 1000 (mu - mu_water) / mu_water and back, any shape; mu in 1/mm.
at::Tensor hu_to_attenuation(const at::Tensor& hu);
at::Tensor attenuation_to_hu(const at::Tensor& per_mm);

// What a detector counts.
struct Dose {
  double photons = 1e5;          // sent along each ray: what it would count in air
  double electronic_sigma = 10;  // standard deviation of the read-out, in photons
  double minimum_count = 1;      // smaller counts are taken for this one, so that the logarithm exists
};

// The line integrals [V, U] that a scan of this dose measures: Beer and Lambert's law N = photons exp(-p),
// Poisson's counts around N, the electronics' normal noise, then -log(max(count, minimum) / photons).
// float32 without unit; the same seed gives the same noise whatever the number of threads.
// Throws Error (misuse) when the dose is impossible or the tensor is not two-dimensional.
at::Tensor measure(const at::Tensor& line_integrals_VU, const Dose& dose, uint64_t seed);

}  // namespace lucivox
