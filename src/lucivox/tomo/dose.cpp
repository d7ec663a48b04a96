#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/dose.h>

namespace lucivox {
namespace {

void check(const Dose& dose) {
  if (!(dose.photons > 0) || !std::isfinite(dose.photons)) {
    throw Error::misuse(fmt::format("a dose of {} photons a ray", dose.photons),
                        "a clinical scan has 1e4 to 1e6 at the detector in air");
  }
  if (!(dose.electronic_sigma >= 0) || !std::isfinite(dose.electronic_sigma)) {
    throw Error::misuse(fmt::format("electronic noise of {} photons", dose.electronic_sigma),
                        "give its standard deviation, 0 or more");
  }
  if (!(dose.minimum_count > 0) || !(dose.minimum_count <= dose.photons)) {
    throw Error::misuse(
        fmt::format("a minimum count of {} where {} photons are sent", dose.minimum_count, dose.photons),
        "it must be positive and at most the photons a ray");
  }
}

}  // namespace

at::Tensor hu_to_attenuation(const at::Tensor& hu) {
  return (hu / 1000 + 1) * kWaterPerMm;
}

at::Tensor attenuation_to_hu(const at::Tensor& per_mm) {
  return (per_mm / kWaterPerMm - 1) * 1000;
}

at::Tensor measure(const at::Tensor& line_integrals_VU, const Dose& dose, uint64_t seed) {
  check(dose);
  if (line_integrals_VU.dim() != 2) {
    throw Error::misuse("a measurement needs one sinogram [V, U]", "call it slice by slice");
  }
  const at::Tensor in = line_integrals_VU.to(at::kFloat).contiguous();
  at::Tensor out = at::empty_like(in);
  const float* integrals = in.const_data_ptr<float>();
  float* measured = out.mutable_data_ptr<float>();
  const int64_t detectors = in.size(1);
  parallel_for(0, in.size(0), [&](int64_t v) {
    Random random(seed, static_cast<uint64_t>(v));
    for (int64_t i = v * detectors; i < (v + 1) * detectors; ++i) {
      const double expected = dose.photons * std::exp(-static_cast<double>(integrals[i]));
      const double count = random.poisson(expected) + random.normal(0, dose.electronic_sigma);
      measured[i] = static_cast<float>(-std::log(std::max(count, dose.minimum_count) / dose.photons));
    }
  });
  return out;
}

}  // namespace lucivox
