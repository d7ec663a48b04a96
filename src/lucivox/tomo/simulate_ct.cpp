#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/dose.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/geometry.h>
#include <lucivox/tomo/phantom.h>
#include <lucivox/tomo/simulate_ct.h>
#include <lucivox/tomo/simulated_scan.h>

namespace lucivox {
namespace {

// A GE LightSpeed as published by J. Wang, T. Li, H. Lu and Z. Liang, IEEE Trans. Med. Imaging 25(10), 2006,
// p. 1272: 888 detectors of 1.0239 mm on an arc around the focal spot, 984 views a turn. They see a circle
// of 499 mm.
constexpr double kSourceMm = 541, kSourceDetectorMm = 949.075;
constexpr int64_t kDetectors = 888, kViews = 984;
constexpr double kArcMm = kDetectors * 1.0239;
// Scanners shift their detectors by a quarter, so that opposite views fall between each other.
constexpr double kShift = 0.25;
// Its pictures have 512 pixels along a side; fewer need fewer rays.
constexpr int64_t kFullSize = 512;
// Falls to one half at 0.43 and to a tenth at 0.68 line pairs a mm, like what scanners use for soft tissue.
constexpr RampWindow kKernel = RampWindow::Hann;
// With it a tenth of the photons is left at the edge of the fan for a cylinder of 32 cm, the body phantom of
// dosimetry: the order of what is measured behind body filters (B. R. Whiting et al., Med. Phys. 41(10),
// 2014).
constexpr double kBowtieShare = 0.4;

constexpr double kFieldMm = 400;  // the usual field of view of a chest CT is 350 to 400 mm
// Scanners store 12 bits, from -1024 HU on.
constexpr double kLowestHu = -1024, kHighestHu = 3071;
// Fewer than this a ray are no picture at any size.
constexpr double kFewestPhotons = 100;

// Independent random numbers for each part of one slice.
enum CtPart : uint64_t { Anatomy, FullDoseNoise, LowDoseNoise, LowDose };

ScanGeometry beam_of(const CtSimulation& full) {
  ScanGeometry beam;
  beam.angles_rad = whole_turn(full.views);
  beam.detectors = full.detectors;
  beam.detector_mm = kArcMm / static_cast<double>(full.detectors);
  beam.rows = beam.columns = full.size;
  beam.pixel_mm = full.pixel_mm;
  beam.centre = static_cast<double>(full.detectors - 1) / 2 + kShift;
  beam.beam = Beam::FanCurved;
  beam.source_mm = kSourceMm;
  beam.source_detector_mm = kSourceDetectorMm;
  return beam;
}

// How far from the axis the ray of detector `u` passes; u may lie between detectors.
double distance_mm(const ScanGeometry& beam, double u) {
  return kSourceMm * std::sin((u - beam.axis_detector()) * beam.detector_mm / kSourceDetectorMm);
}

// The circle that every view sees whole.
double seen_radius_mm(const ScanGeometry& beam) {
  return distance_mm(beam, static_cast<double>(beam.detectors) - 0.5);
}

Dose dose_of(const CtSimulation& full, const ScanGeometry& beam, double photons) {
  Dose dose{{}, full.electronic_sigma};
  for (int64_t u = 0; u < beam.detectors; ++u) {
    dose.photons_U.push_back(photons * bowtie_transmission(distance_mm(beam, static_cast<double>(u)),
                                                           full.bowtie_radius_mm, kBowtieShare));
  }
  return dose;
}

// `whole` for a picture of 512 pixels or more.
int64_t by_size(int64_t whole, int64_t size) {
  return (whole * std::min(size, kFullSize) + kFullSize - 1) / kFullSize;
}

void check_dose(const CtSimulation& full) {
  require_within(full.full_photons, kFewestPhotons, 1e12, "full_photons",
                 "photons a ray before the bow-tie filter: a clinical scan has 1e5 to 1e6");
  require_share(full.dose_fraction, "dose_fraction", "low dose is a part of the full dose");
  if (full.highest_dose_fraction != 0) {
    require_share(full.highest_dose_fraction, "highest_dose_fraction", "low dose is a part of the full dose");
    if (full.highest_dose_fraction < full.dose_fraction)
      throw Error::misuse(
          fmt::format("dose fractions from {} to {}", full.dose_fraction, full.highest_dose_fraction),
          "give the lower one first");
  }
  const double low = full.full_photons * full.dose_fraction;
  if (low < kFewestPhotons) {
    throw Error::misuse(fmt::format("{} photons a ray at low dose", low),
                        fmt::format("full_photons times dose_fraction must be at least {}", kFewestPhotons));
  }
  require_within(full.electronic_sigma, 0, 1e6, "electronic_sigma",
                 "a standard deviation in photons, 0 or more");
  require_within(full.bowtie_radius_mm, 0, 250, "bowtie_radius_mm",
                 "0 for no filter, or the radius of a water cylinder in the scan field, at most 250");
}

void check_field(const CtSimulation& full) {
  const double field = full.pixel_mm * static_cast<double>(full.size);
  const double widest = std::sqrt(2.0) * kSourceMm;  // beyond it, a corner reaches the tube
  if (field < widest) return;
  throw Error::misuse(
      fmt::format("a field of view of {:.0f} mm", field),
      fmt::format("the scanner sees 500 mm and holds {:.0f}: fewer or smaller pixels", widest));
}

uint64_t seed_of(const CtSimulation& full, int64_t index) {
  return derive_seed(full.seed, static_cast<uint64_t>(index));
}

double dose_fraction_of(const CtSimulation& full, int64_t index) {
  if (full.highest_dose_fraction == 0) return full.dose_fraction;
  Random random(derive_seed(seed_of(full, index), LowDose));
  return full.dose_fraction * std::pow(full.highest_dose_fraction / full.dose_fraction, random.uniform());
}

// Two scans of patients whose slices are known on the fine grid, in HU.
CtPairs scan(const CtSimulation& full, int64_t first, at::Tensor fine_hu_SYX) {
  const ScanGeometry beam = beam_of(full);
  keep_circle(fine_hu_SYX, beam.pixel_mm / kFiner, seen_radius_mm(beam), kAirHu);
  const at::Tensor integrals = seen_by_detectors(hu_to_attenuation(fine_hu_SYX), beam);
  const auto reconstructed = [&](const std::vector<double>& fractions, CtPart noise) {
    const auto seed = [&](int64_t s) { return derive_seed(seed_of(full, first + s), noise); };
    const auto dose = [&](int64_t s) {
      return dose_of(full, beam, full.full_photons * fractions[static_cast<size_t>(s)]);
    };
    const at::Tensor sino = measure_slices(integrals, dose, seed);
    return attenuation_to_hu(fbp(sino, beam, kKernel)).clamp_(kLowestHu, kHighestHu);
  };
  const int64_t count = fine_hu_SYX.size(0);
  std::vector<double> low;
  for (int64_t s = 0; s < count; ++s) low.push_back(dose_fraction_of(full, first + s));
  const std::vector<double> whole(low.size(), 1.0);
  return {mean_over_pixels(fine_hu_SYX), reconstructed(whole, FullDoseNoise),
          reconstructed(low, LowDoseNoise), low};
}

// Chests on the fine grid. A chest shares its work among the threads only in part, so that several are made
// at once.
at::Tensor chests(const CtSimulation& full, int64_t first, int64_t count) {
  const int64_t side = kFiner * full.size;
  const double field_mm = full.pixel_mm * static_cast<double>(full.size);
  at::Tensor hu = at::empty({count, side, side}, at::kFloat);
  const auto make = [&](int64_t i) {
    hu[i].copy_(chest_phantom(side, field_mm, derive_seed(seed_of(full, first + i), Anatomy)));
  };
  if (count < threads()) {
    for (int64_t i = 0; i < count; ++i) make(i);
  } else {
    parallel_for(0, count, make);
  }
  return hu;
}

}  // namespace

CtSimulation resolve(const CtSimulation& simulation) {
  CtSimulation full = simulation;
  require_at_least(full.slices, 1, "slices");
  if (full.size == 0) full.size = kFullSize;
  require_at_least(full.size, 16, "size");
  if (full.pixel_mm == 0) full.pixel_mm = kFieldMm / static_cast<double>(full.size);
  if (full.views == 0) full.views = by_size(kViews, full.size);
  if (full.detectors == 0) full.detectors = by_size(kDetectors, full.size);
  require_at_least(full.views, 1, "views");
  require_at_least(full.detectors, 2, "detectors");
  if (!(full.pixel_mm > 0))
    throw Error::misuse(fmt::format("pixel_mm = {}", full.pixel_mm), "a positive number");
  check_field(full);
  check_dose(full);
  return full;
}

CtPairs simulate_ct(const CtSimulation& simulation, int64_t first, int64_t count) {
  const CtSimulation full = resolve(simulation);
  require_slices(first, count, full.slices);
  return scan(full, first, chests(full, first, count));
}

CtPairs simulate_ct(const CtSimulation& simulation, int64_t first, const at::Tensor& hu_SYX,
                    const VoxelSize& voxel) {
  const CtSimulation full = resolve(simulation);
  at::Tensor fine =
      in_field(hu_SYX, voxel, kFiner * full.size, full.pixel_mm / kFiner).clamp_max_(kHighestHu);
  require_slices(first, fine.size(0), full.slices);
  return scan(full, first, fine);
}

}  // namespace lucivox
