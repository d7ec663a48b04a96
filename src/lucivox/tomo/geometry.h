#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/kernels/scan.h>

namespace lucivox {

// A scan of a stack of equal slices. Images are [S, Y, X], sinograms [S, V, U]: S slices, V views, U
// detectors. x runs along columns, y along rows (downwards in a picture), both in mm from the axis of
// rotation, which is the middle of the image. For the view of projection angle t let n = (cos t, sin t),
// along the detector, and d = (-sin t, cos t), along its central ray; s(u) = (u - centre) detector_mm. The
// ray of detector u is
//   Parallel   x . n = s(u)
//   FanFlat    from -source_mm d to (source_detector_mm - source_mm) d + s(u) n
//   FanCurved  from -source_mm d in the direction cos g d + sin g n, g = s(u) / source_detector_mm
// and its value is the integral of the image along it.
struct ScanGeometry {
  std::vector<double> angles_rad;
  int64_t detectors = 0;
  double detector_mm = 1;  // from one to the next
  int64_t rows = 0, columns = 0;
  double pixel_mm = 1;
  std::optional<double> centre =
      {};  // centre of rotation: the detector that sees the axis; (U - 1) / 2 unless given
  Beam beam = Beam::Parallel;
  double source_mm = 0;           // fans: from the source to the axis
  double source_detector_mm = 0;  // fans: from the source to the detector

  int64_t views() const { return static_cast<int64_t>(angles_rad.size()); }
  double axis_detector() const { return centre.value_or(static_cast<double>(detectors - 1) / 2); }
  // Half the angle of the fan that the detector sees, in radians; 0 in a parallel beam.
  double half_fan_rad() const;
};

// `views` projection angles evenly over half a turn, t_v = pi v / V; over a whole turn, 2 pi v / V.
std::vector<double> half_turn(int64_t views);
std::vector<double> whole_turn(int64_t views);

// Throws Error (misuse) when a size or a spacing is not positive, an angle is not finite, the centre lies
// outside the detector, or a fan's source lies inside the image or behind its detector.
void check(const ScanGeometry& scan);

// The same scan from other angles.
ScanGeometry with_angles(ScanGeometry scan, std::vector<double> angles_rad);

// The same, ray by ray and view by view, for the kernels.
RayScan ray_scan(const ScanGeometry& scan);

// float32 and contiguous. Throws Error (misuse) unless it is [any, rows, columns] of the scan.
at::Tensor as_image(const at::Tensor& image_SYX, const ScanGeometry& scan);
// The same for [any, views, detectors].
at::Tensor as_sinogram(const at::Tensor& sino_SVU, const ScanGeometry& scan);

}  // namespace lucivox
