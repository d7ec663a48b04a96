#pragma once

#include <cstdint>
#include <vector>

namespace lucivox {

// How the rays of one view run.
enum class Beam {
  Parallel,
  FanFlat,    // from a point to a straight detector
  FanCurved,  // from a point to a detector on an arc around that point
};

// One ray by Joseph's method (P. M. Joseph, IEEE Trans. Med. Imaging 1(3), 1982): it is marched along its
// major axis, one image line at a time, and meets the line `l` lines from the middle one at `middle + slope *
// l` pixels from the middle of that line. The image is interpolated linearly there, and each line counts
// `weight` mm. Lines are the image's rows, or its columns when `by_columns`; |slope| <= 1.
struct JosephRay {
  float middle, slope, weight;
  bool by_columns;
};

// Where a view sees the pixel of column x and row y: `lateral` mm aside of the ray through the axis, and
// `depth` of the way from the source to the axis (1 in a parallel beam), each as origin + per_x x + per_y y.
struct PixelView {
  float lateral, lateral_x, lateral_y, depth, depth_x, depth_y;
};

// A scan of a stack of slices as the kernels see it: images [S, Y, X], sinograms [S, V, U].
struct RayScan {
  Beam beam;
  int64_t rows, columns, views, detectors;
  std::vector<JosephRay> rays;         // [V, U]
  std::vector<PixelView> pixel_views;  // [V]
  float centre;                        // the detector, counted from 0, that the ray through the axis meets
  float per_lateral;                   // detectors a mm at the axis; a radian for FanCurved
  float source_mm;                     // from the source to the axis; 0 in a parallel beam
};

}  // namespace lucivox
