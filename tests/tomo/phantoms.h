#pragma once

#include <cmath>
#include <vector>

#include <torch/types.h>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

// Objects whose line integrals are known, in mm from the axis, x along columns and y along rows.
struct Ellipse {
  double x, y, a, b, angle_rad, value;  // semi-axes a along angle_rad, b across
};

// The line x . n = s of detector u at view v, written down from the definition in geometry.h once more.
struct NormalLine {
  double normal_rad, s;
};

inline NormalLine normal_line(const ScanGeometry& scan, int64_t v, int64_t u) {
  const double t = scan.angles_rad[static_cast<size_t>(v)];
  const double s = (static_cast<double>(u) - scan.axis_detector()) * scan.detector_mm;
  if (scan.beam == Beam::Parallel) return {t, s};
  // The ray leaves the source, source_mm behind the axis, at the angle g from the central ray: it passes the
  // axis at the distance source_mm sin g, and its normal is turned by -g.
  const double g =
      scan.beam == Beam::FanFlat ? std::atan(s / scan.source_detector_mm) : s / scan.source_detector_mm;
  return {t - g, scan.source_mm * std::sin(g)};
}

// The sum of chord(ellipse-like object, line) over all rays, float64 [1, V, U].
template <typename Object, typename Chord>
at::Tensor sinogram_of(const ScanGeometry& scan, const std::vector<Object>& objects, const Chord& chord) {
  at::Tensor sino = torch::zeros({1, scan.views(), scan.detectors}, at::kDouble);
  auto values = sino.accessor<double, 3>();
  for (int64_t v = 0; v < scan.views(); ++v) {
    for (int64_t u = 0; u < scan.detectors; ++u) {
      for (const Object& object : objects) values[0][v][u] += chord(object, normal_line(scan, v, u));
    }
  }
  return sino;
}

// A. C. Kak and M. Slaney, 1988, section 3.1: 2 value a b sqrt(r^2 - s^2) / r^2.
inline at::Tensor ellipse_sinogram(const ScanGeometry& scan, const std::vector<Ellipse>& ellipses) {
  return sinogram_of(scan, ellipses, [](const Ellipse& e, const NormalLine& line) {
    const double s = line.s - e.x * std::cos(line.normal_rad) - e.y * std::sin(line.normal_rad);
    const double c = std::cos(line.normal_rad - e.angle_rad), d = std::sin(line.normal_rad - e.angle_rad);
    const double r2 = e.a * e.a * c * c + e.b * e.b * d * d;
    return s * s < r2 ? 2 * e.value * e.a * e.b * std::sqrt(r2 - s * s) / r2 : 0;
  });
}

// Coordinates of `fine` x `fine` points in every pixel, in mm: float64 [fine * count].
inline at::Tensor fine_axis(int64_t count, double pixel_mm, int64_t fine) {
  return (torch::arange(count * fine, at::kDouble) + 0.5) * (pixel_mm / static_cast<double>(fine)) -
         static_cast<double>(count) * pixel_mm / 2;
}

// float32 [1, Y, X]; edges are averaged over 8x8 points a pixel.
inline at::Tensor ellipse_image(const ScanGeometry& scan, const std::vector<Ellipse>& ellipses) {
  constexpr int64_t fine = 8;
  const at::Tensor y = fine_axis(scan.rows, scan.pixel_mm, fine).unsqueeze(1),
                   x = fine_axis(scan.columns, scan.pixel_mm, fine).unsqueeze(0);
  at::Tensor image = torch::zeros({scan.rows * fine, scan.columns * fine}, at::kDouble);
  for (const Ellipse& e : ellipses) {
    const double c = std::cos(e.angle_rad), s = std::sin(e.angle_rad);
    const at::Tensor along = ((x - e.x) * c + (y - e.y) * s) / e.a,
                     across = ((y - e.y) * c - (x - e.x) * s) / e.b;
    image += e.value * (along.square() + across.square() < 1).to(at::kDouble);
  }
  return at::avg_pool2d(image.unsqueeze(0), fine).to(at::kFloat);
}

// L. A. Shepp and B. F. Logan's head (IEEE Trans. Nucl. Sci. 21(3), 1974) with the contrasts of P. Toft's
// thesis (1996), filling a square of `side_mm`.
inline std::vector<Ellipse> shepp_logan(double side_mm) {
  const double r = side_mm / 2, degree = M_PI / 180;
  const std::vector<Ellipse> unit{{0, 0, .69, .92, 0, 1},
                                  {0, .0184, .6624, .874, 0, -.8},
                                  {.22, 0, .11, .31, 18 * degree, -.2},
                                  {-.22, 0, .16, .41, -18 * degree, -.2},
                                  {0, -.35, .21, .25, 0, .1},
                                  {0, -.1, .046, .046, 0, .1},
                                  {0, .1, .046, .046, 0, .1},
                                  {-.08, .605, .046, .023, 0, .1},
                                  {0, .606, .023, .023, 0, .1},
                                  {.06, .605, .023, .046, 0, .1}};
  std::vector<Ellipse> head;
  for (const Ellipse& e : unit) head.push_back({e.x * r, e.y * r, e.a * r, e.b * r, e.angle_rad, e.value});
  return head;
}

}  // namespace lucivox
