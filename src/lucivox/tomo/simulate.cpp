#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/dose.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/geometry.h>
#include <lucivox/tomo/phantom.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/simulate.h>

namespace lucivox {
namespace {

constexpr double kFieldMm = 400;  // the usual field of view of a chest CT is 350 to 400 mm
// The phantom and the rays are twice as fine as the picture: what is reconstructed is not what was
// projected, and a detector averages over its width, as it does in a scanner.
constexpr int64_t kFiner = 2;
// Scanners store 12 bits, from -1024 HU on.
constexpr double kAirHu = -1000;  // nothing attenuates less
constexpr double kLowestHu = -1024, kHighestHu = 3071;

// Independent random numbers for each part of one slice.
enum Part : uint64_t { Anatomy, FullDoseNoise, LowDoseNoise };

ScanGeometry beam_of(const CtSimulation& simulation) {
  ScanGeometry beam;
  beam.angles_rad = half_turn(simulation.views);
  beam.detectors = simulation.detectors;
  beam.detector_mm = beam.pixel_mm = simulation.pixel_mm;
  beam.rows = beam.columns = simulation.size;
  return beam;
}

ScanGeometry finer(ScanGeometry beam) {
  beam.detectors *= kFiner;
  beam.detector_mm /= kFiner;
  beam.rows *= kFiner;
  beam.columns *= kFiner;
  beam.pixel_mm /= kFiner;
  return beam;
}

// A detector adds up the photons of its fine rays: the logarithm comes after the mean, [V, kFiner U] -> [V,
// U].
at::Tensor over_detectors(const at::Tensor& fine_VU) {
  const at::Tensor rays = fine_VU.reshape({fine_VU.size(0), fine_VU.size(1) / kFiner, kFiner});
  return rays.neg().exp_().mean(2).log_().neg_();
}

void at_least(int64_t value, int64_t least, const char* what) {
  if (value < least)
    throw Error::misuse(fmt::format("{} = {}", what, value), fmt::format("at least {}", least));
}

void positive(double value, const char* what) {
  if (!(value > 0) || !std::isfinite(value)) {
    throw Error::misuse(fmt::format("{} = {}", what, value), "a positive number");
  }
}

}  // namespace

CtSimulation resolve(const CtSimulation& simulation) {
  CtSimulation full = simulation;
  at_least(full.slices, 1, "slices");
  at_least(full.size, 16, "size");
  if (full.pixel_mm == 0) full.pixel_mm = kFieldMm / static_cast<double>(full.size);
  if (full.views == 0) full.views = full.size * 45 / 32;
  if (full.detectors == 0) full.detectors = full.size * 9 / 8;
  at_least(full.views, 1, "views");
  at_least(full.detectors, 1, "detectors");
  positive(full.pixel_mm, "pixel_mm");
  positive(full.full_photons, "full_photons");
  positive(full.low_photons, "low_photons");
  if (full.low_photons > full.full_photons) {
    throw Error::misuse(
        fmt::format("low_photons = {} is more than full_photons = {}", full.low_photons, full.full_photons),
        "a low dose has fewer photons");
  }
  return full;
}

namespace {

uint64_t seed_of(const CtSimulation& full, int64_t index) {
  if (index < 0 || index >= full.slices) {
    throw Error::misuse(fmt::format("slice {} of a simulation of {} slices", index, full.slices),
                        "slices count from 0");
  }
  return derive_seed(full.seed, static_cast<uint64_t>(index));
}

// Two scans of a patient whose slice is known on the fine grid, in HU.
CtPair scan(const CtSimulation& full, const at::Tensor& fine_hu, uint64_t seed) {
  const ScanGeometry beam = beam_of(full);
  const at::Tensor integrals =
      over_detectors(forward_project(hu_to_attenuation(fine_hu).unsqueeze(0), finer(beam)).squeeze(0));

  const auto reconstruct = [&](double photons, Part part) {
    const Dose dose{photons, full.electronic_sigma, full.minimum_count};
    const at::Tensor sino = measure(integrals, dose, derive_seed(seed, part)).unsqueeze(0);
    return attenuation_to_hu(fbp(sino, beam)).squeeze(0).clamp_(kLowestHu, kHighestHu);
  };
  const at::Tensor truth = at::avg_pool2d(fine_hu.unsqueeze(0), kFiner).squeeze(0);
  return {truth, reconstruct(full.full_photons, FullDoseNoise), reconstruct(full.low_photons, LowDoseNoise)};
}

}  // namespace

CtPair simulate_ct(const CtSimulation& simulation, int64_t index) {
  const CtSimulation full = resolve(simulation);
  const uint64_t seed = seed_of(full, index);
  const double field_mm = full.pixel_mm * static_cast<double>(full.size);
  return scan(full, chest_phantom(kFiner * full.size, field_mm, derive_seed(seed, Anatomy)), seed);
}

CtPair simulate_ct(const CtSimulation& simulation, int64_t index, const at::Tensor& hu_YX) {
  const CtSimulation full = resolve(simulation);
  if (hu_YX.dim() != 2 || hu_YX.size(0) != full.size || hu_YX.size(1) != full.size) {
    throw Error::misuse(
        fmt::format("a slice of [{}] where the scan's is {} x {}",
                    fmt::join(hu_YX.sizes().begin(), hu_YX.sizes().end(), ", "), full.size, full.size),
        "the slice must be square, and as large as the simulation says");
  }
  const at::Tensor patient = hu_YX.to(at::kFloat).clamp(kAirHu, kHighestHu);
  return scan(full, patient.repeat_interleave(kFiner, 0).repeat_interleave(kFiner, 1), seed_of(full, index));
}

}  // namespace lucivox
