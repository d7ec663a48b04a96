#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/kernels/joseph.h>

namespace lucivox {

// A parallel-beam scan of square slices or any rectangle of square pixels. x runs along columns, y along
// rows (downwards in a picture), both in mm from the middle of the image; detector u of projection angle t
// (radians) sees the line integral, "ray",
//   p(t, u) = integral of f along x cos t + y sin t = (u - (U - 1) / 2) detector_mm.
// Images are [S, Y, X], sinograms [S, V, U]: S slices, V views, U detectors.
struct ParallelBeam {
  std::vector<double> angles_rad;
  int64_t detectors = 0;
  double detector_mm = 1;
  int64_t rows = 0, columns = 0;
  double pixel_mm = 1;

  int64_t views() const { return static_cast<int64_t>(angles_rad.size()); }
};

// `views` projection angles evenly over half a turn: t_v = pi v / V.
std::vector<double> half_turn(int64_t views);

// Throws Error (misuse) when a size or a spacing is not positive, or an angle is not finite.
void check(const ParallelBeam& beam);

// The same for the kernels, which borrow the angles: `beam` must outlive it.
ParallelScan scan_of(const ParallelBeam& beam, int64_t slices);

}  // namespace lucivox
