#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/geometry.h>

namespace lucivox {

std::vector<double> half_turn(int64_t views) {
  std::vector<double> angles;
  for (int64_t v = 0; v < views; ++v) {
    angles.push_back(std::numbers::pi * static_cast<double>(v) / static_cast<double>(views));
  }
  return angles;
}

void check(const ParallelBeam& beam) {
  if (beam.angles_rad.empty()) {
    throw Error::misuse("a scan without projection angles", "give at least one view");
  }
  for (const double angle : beam.angles_rad) {
    if (!std::isfinite(angle)) throw Error::misuse("a projection angle is not a finite number");
  }
  if (beam.detectors < 1 || beam.rows < 1 || beam.columns < 1) {
    throw Error::misuse(
        fmt::format("a scan of {} x {} pixels with {} detectors", beam.rows, beam.columns, beam.detectors),
        "all of them must be at least 1");
  }
  if (!(beam.pixel_mm > 0) || !(beam.detector_mm > 0)) {
    throw Error::misuse(
        fmt::format("a scan with pixels of {} mm and detectors of {} mm", beam.pixel_mm, beam.detector_mm),
        "both must be positive");
  }
}

ParallelScan scan_of(const ParallelBeam& beam, int64_t slices) {
  return {slices, beam.rows, beam.columns, beam.pixel_mm, beam.detectors, beam.detector_mm, beam.angles_rad};
}

}  // namespace lucivox
