#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/dose.h>

namespace lucivox {
namespace {

void check(const Dose& dose) {
  if (!(dose.electronic_sigma >= 0) || !std::isfinite(dose.electronic_sigma)) {
    throw Error::misuse(fmt::format("electronic noise of {} photons", dose.electronic_sigma),
                        "give its standard deviation, 0 or more");
  }
  if (!(dose.minimum_count > 0)) {
    throw Error::misuse(fmt::format("a minimum count of {}", dose.minimum_count), "it must be positive");
  }
  for (const double photons : dose.photons_U) {
    if (!(photons >= dose.minimum_count) || !std::isfinite(photons)) {
      throw Error::misuse(fmt::format("a dose of {} photons a ray", photons),
                          fmt::format("a clinical scan has 1e4 to 1e6, and {} at least", dose.minimum_count));
    }
  }
}

}  // namespace

at::Tensor hu_to_attenuation(const at::Tensor& hu) {
  return (hu / 1000 + 1) * kWaterPerMm;
}

at::Tensor attenuation_to_hu(const at::Tensor& per_mm) {
  return (per_mm / kWaterPerMm - 1) * 1000;
}

double bowtie_transmission(double distance_mm, double cylinder_radius_mm, double share) {
  const double r = cylinder_radius_mm, s = std::min(std::abs(distance_mm), r);
  return std::exp(-share * kWaterPerMm * 2 * (r - std::sqrt(r * r - s * s)));
}

at::Tensor measure(const at::Tensor& line_integrals_VU, const Dose& dose, uint64_t seed) {
  check(dose);
  const auto detectors = static_cast<int64_t>(dose.photons_U.size());
  if (line_integrals_VU.dim() != 2 || line_integrals_VU.size(1) != detectors) {
    throw Error::misuse(fmt::format("a sinogram of [{}] for photons of {} detectors",
                                    fmt::join(line_integrals_VU.sizes(), ", "), detectors),
                        "a measurement needs one sinogram [V, U] and photons [U]");
  }
  const at::Tensor in = line_integrals_VU.to(at::kCPU, at::kFloat).contiguous();
  at::Tensor out = at::empty_like(in);
  const float* integrals = in.const_data_ptr<float>();
  float* measured = out.mutable_data_ptr<float>();
  parallel_for(0, in.size(0), [&](int64_t v) {
    Random random(seed, static_cast<uint64_t>(v));
    for (int64_t u = 0; u < detectors; ++u) {
      const double photons = dose.photons_U[static_cast<size_t>(u)];
      const int64_t ray = v * detectors + u;
      const double expected = photons * std::exp(-static_cast<double>(integrals[ray]));
      double count = random.poisson(expected);
      if (dose.electronic_sigma > 0) count += random.normal(0, dose.electronic_sigma);
      measured[ray] = static_cast<float>(-std::log(std::max(count, dose.minimum_count) / photons));
    }
  });
  return out.to(line_integrals_VU.device());
}

}  // namespace lucivox
