#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace lucivox {

// A parallel-beam scan of a stack of slices: images [S, Y, X] of square pixels, sinograms [S, V, U].
// The ray of projection angle t and detector u (both grids centred on the axis) is
//   x cos t + y sin t = (u - (U - 1) / 2) detector_mm,
// where x runs along columns and y along rows, in mm, 0 in the middle of the image.
struct ParallelScan {
  int64_t slices, rows, columns;
  double pixel_mm;
  int64_t detectors;
  double detector_mm;
  std::span<const double> angles_rad;

  int64_t views() const { return static_cast<int64_t>(angles_rad.size()); }
};

// Joseph's method (P. M. Joseph, IEEE Trans. Med. Imaging 1(3), 1982) for one view: the ray is marched
// along its major axis, one image line at a time, and meets line l at the position
//   per_detector * u + per_line * l + offset
// along the minor axis, counted in pixels. The image is interpolated linearly there, and each line counts
// `weight` mm. Lines are the image's rows, or its columns when `by_columns`.
struct JosephView {
  bool by_columns;
  double per_detector, per_line, offset, weight;

  // float is exact enough: positions below 4096 keep 12 bits of fraction
  float at_first_detector(int64_t line) const {
    return static_cast<float>(per_line * static_cast<double>(line) + offset);
  }
};

inline JosephView joseph_view(const ParallelScan& scan, double angle_rad) {
  const double cosine = std::cos(angle_rad), sine = std::sin(angle_rad);
  const bool by_columns = std::abs(sine) > std::abs(cosine);
  const double minor = by_columns ? sine : cosine, major = by_columns ? cosine : sine;
  const double length = static_cast<double>(by_columns ? scan.rows : scan.columns);
  const double lines = static_cast<double>(by_columns ? scan.columns : scan.rows);
  JosephView view{};
  view.by_columns = by_columns;
  view.per_detector = scan.detector_mm / (scan.pixel_mm * minor);
  view.per_line = -major / minor;
  view.offset = (length - 1) / 2 - view.per_detector * static_cast<double>(scan.detectors - 1) / 2 -
                view.per_line * (lines - 1) / 2;
  view.weight = scan.pixel_mm / std::abs(minor);
  return view;
}

inline std::vector<JosephView> joseph_views(const ParallelScan& scan) {
  std::vector<JosephView> views;
  views.reserve(scan.angles_rad.size());
  for (const double angle : scan.angles_rad) views.push_back(joseph_view(scan, angle));
  return views;
}

}  // namespace lucivox
