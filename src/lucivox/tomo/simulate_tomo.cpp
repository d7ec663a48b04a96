#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/dose.h>
#include <lucivox/tomo/field.h>
#include <lucivox/tomo/geometry.h>
#include <lucivox/tomo/simulate_tomo.h>
#include <lucivox/tomo/simulated_scan.h>

namespace lucivox {
namespace {

// Cameras are calibrated by the mean of so many images of the beam; their noise leaves faint rings.
constexpr int64_t kFlats = 50;
// Fewer than this a pixel are no picture behind a sample that lets a tenth of them through.
constexpr double kFewestExposed = 50;

// Independent random numbers for each part.
enum TomoPart : uint64_t { Material, CleanNoise, CleanFlats, NoisyNoise, NoisyFlats };

struct Exposures {
  int64_t views;
  double photons;
  TomoPart noise, flats;
};

ScanGeometry beam_of(const TomoSimulation& full, int64_t views) {
  ScanGeometry beam;
  beam.angles_rad = half_turn(views);
  beam.detectors = beam.rows = beam.columns = full.size;
  beam.detector_mm = beam.pixel_mm = full.pixel_mm();
  return beam;
}

at::Tensor material(const TomoSimulation& full, int64_t first, int64_t count) {
  std::vector<double> heights_mm;
  for (int64_t i = first; i < first + count; ++i)
    heights_mm.push_back(static_cast<double>(i) * full.pixel_mm());
  return sample_phantom(full.sample, kFiner * full.size, heights_mm, derive_seed(full.seed, Material));
}

// Both the sample's images and the beam's alone are counted, [S, V, U] - [S, 1, U]. So many images of the
// beam together are one of so many times the photons, whose read-out noise adds up.
at::Tensor counted(const TomoSimulation& full, const Exposures& exposures, int64_t first,
                   const at::Tensor& integrals_SVU) {
  const auto dose = [&](double images) {
    const std::vector<double> photons_U(static_cast<size_t>(full.size), images * exposures.photons);
    return [of_all = Dose{photons_U, std::sqrt(images) * full.electronic_sigma}](int64_t) { return of_all; };
  };
  const auto seed_of = [&](TomoPart part) {
    return [&full, first, part](int64_t s) {
      return derive_seed(derive_seed(full.seed, part), static_cast<uint64_t>(first + s));
    };
  };
  const at::Tensor beam_S1U = at::zeros({integrals_SVU.size(0), 1, full.size});
  return measure_slices(integrals_SVU, dose(1), seed_of(exposures.noise)) -
         measure_slices(beam_S1U, dose(kFlats), seed_of(exposures.flats));
}

at::Tensor scan(const TomoSimulation& full, const Exposures& exposures, int64_t first,
                const at::Tensor& fine_SYX) {
  const ScanGeometry beam = beam_of(full, exposures.views);
  const at::Tensor sino = counted(full, exposures, first, seen_by_detectors(fine_SYX, beam));
  at::Tensor slices = reconstruct(sino, beam, full.method);
  keep_circle(slices, beam.pixel_mm, kSampleFieldMm / 2, 0);
  return slices;
}

void check_exposures(const TomoSimulation& full) {
  require_at_least(full.views, 1, "views");
  require_at_least(full.few_views, 1, "few_views");
  if (full.few_views > full.views) {
    throw Error::misuse(fmt::format("few_views = {} of {} views", full.few_views, full.views),
                        "the poor scan has at most as many as the good one");
  }
  require_share(full.exposure_fraction, "exposure_fraction",
                "the poor scan's exposure is a part of the good one's");
  require_within(full.photons, kFewestExposed, 1e12, "photons",
                 "photons a pixel and view: cameras hold 1e4 to 1e5");
  require_within(full.photons * full.exposure_fraction, kFewestExposed, 1e12,
                 "photons times exposure_fraction", "a short exposure needs 50 photons a pixel or more");
  require_within(full.electronic_sigma, 0, 1e6, "electronic_sigma",
                 "a standard deviation in photons, 0 or more");
}

}  // namespace

TomoSimulation resolve(const TomoSimulation& simulation) {
  TomoSimulation full = simulation;
  require_at_least(full.slices, 1, "slices");
  require_at_least(full.size, 16, "size");
  constexpr int64_t most_views = 1500;
  if (full.views == 0) full.views = std::min(full.size * 3 / 2, most_views);
  if (full.few_views == 0) full.few_views = std::max(full.views / 8, int64_t{1});
  check_exposures(full);
  return full;
}

TomoPairs simulate_tomo(const TomoSimulation& simulation, int64_t first, int64_t count) {
  const TomoSimulation full = resolve(simulation);
  require_slices(first, count, full.slices);
  const at::Tensor fine = material(full, first, count);
  const double short_exposure = full.photons * full.exposure_fraction;
  return {mean_over_pixels(fine), scan(full, {full.views, full.photons, CleanNoise, CleanFlats}, first, fine),
          scan(full, {full.few_views, short_exposure, NoisyNoise, NoisyFlats}, first, fine)};
}

}  // namespace lucivox
