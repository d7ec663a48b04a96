#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/geometry.h>

namespace lucivox {
namespace {

using std::numbers::pi;

struct Point {
  double x, y;
};

// A ray: any of its points and its direction.
struct Line {
  Point from, along;
};

Line line_of(const ScanGeometry& scan, double angle, int64_t detector) {
  const Point n{std::cos(angle), std::sin(angle)}, d{-n.y, n.x};
  const double s = (static_cast<double>(detector) - scan.axis_detector()) * scan.detector_mm;
  if (scan.beam == Beam::Parallel) return {{s * n.x, s * n.y}, d};
  const Point source{-scan.source_mm * d.x, -scan.source_mm * d.y};
  const double fan =
      scan.beam == Beam::FanFlat ? std::atan2(s, scan.source_detector_mm) : s / scan.source_detector_mm;
  return {source, {std::cos(fan) * d.x + std::sin(fan) * n.x, std::cos(fan) * d.y + std::sin(fan) * n.y}};
}

// The axis of rotation is the middle of the image, so that positions count from there.
JosephRay joseph_ray(const Line& line, double pixel_mm) {
  const bool by_columns = std::abs(line.along.x) > std::abs(line.along.y);
  const double major = by_columns ? line.along.x : line.along.y,
               minor = by_columns ? line.along.y : line.along.x;
  const double slope = minor / major;
  const double middle = by_columns ? line.from.y - slope * line.from.x : line.from.x - slope * line.from.y;
  return {static_cast<float>(middle / pixel_mm), static_cast<float>(slope),
          static_cast<float>(pixel_mm * std::sqrt(1 + slope * slope)), by_columns};
}

PixelView pixel_view(const ScanGeometry& scan, double angle) {
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double x0 = -static_cast<double>(scan.columns - 1) / 2 * scan.pixel_mm,
               y0 = -static_cast<double>(scan.rows - 1) / 2 * scan.pixel_mm;
  const double per_mm = scan.beam == Beam::Parallel ? 0 : 1 / scan.source_mm;
  return {static_cast<float>(x0 * cosine + y0 * sine),
          static_cast<float>(scan.pixel_mm * cosine),
          static_cast<float>(scan.pixel_mm * sine),
          static_cast<float>(1 + (y0 * cosine - x0 * sine) * per_mm),
          static_cast<float>(-scan.pixel_mm * sine * per_mm),
          static_cast<float>(scan.pixel_mm * cosine * per_mm)};
}

double per_lateral(const ScanGeometry& scan) {
  switch (scan.beam) {
    case Beam::FanFlat:
      return scan.source_detector_mm / scan.source_mm / scan.detector_mm;
    case Beam::FanCurved:
      return scan.source_detector_mm / scan.detector_mm;
    case Beam::Parallel:
      break;
  }
  return 1 / scan.detector_mm;
}

std::vector<double> evenly(int64_t views, double turn) {
  std::vector<double> angles;
  for (int64_t v = 0; v < views; ++v)
    angles.push_back(turn * static_cast<double>(v) / static_cast<double>(views));
  return angles;
}

void check_fan(const ScanGeometry& scan) {
  const double reach =
      std::hypot(static_cast<double>(scan.rows), static_cast<double>(scan.columns)) / 2 * scan.pixel_mm;
  if (!(scan.source_mm > reach)) {
    throw Error::misuse(
        fmt::format("a source {} mm from the axis of an image that reaches {:.1f} mm", scan.source_mm, reach),
        "source_mm is the distance from the focal spot to the axis of rotation");
  }
  if (!(scan.source_detector_mm >= scan.source_mm) || !std::isfinite(scan.source_detector_mm)) {
    throw Error::misuse(fmt::format("a detector {} mm and an axis {} mm from the source",
                                    scan.source_detector_mm, scan.source_mm),
                        "the detector lies behind the axis: source_detector_mm is at least source_mm");
  }
  if (!(scan.half_fan_rad() < pi / 2))
    throw Error::misuse("a fan of half a turn or more", "make the detector smaller or put it farther away");
}

at::Tensor as_stack(const at::Tensor& values, int64_t lines, int64_t pixels, const char* what) {
  if (values.dim() != 3 || values.size(1) != lines || values.size(2) != pixels) {
    throw Error::misuse(fmt::format("a tensor of [{}] as {} of a scan that has [any, {}, {}]",
                                    fmt::join(values.sizes(), ", "), what, lines, pixels),
                        "image and sinogram must have the geometry's shape");
  }
  return values.to(at::kFloat).contiguous();
}

}  // namespace

double ScanGeometry::half_fan_rad() const {
  if (beam == Beam::Parallel) return 0;
  const double widest =
      std::max(axis_detector() + 0.5, static_cast<double>(detectors) - 0.5 - axis_detector()) * detector_mm;
  return beam == Beam::FanFlat ? std::atan2(widest, source_detector_mm) : widest / source_detector_mm;
}

std::vector<double> half_turn(int64_t views) {
  return evenly(views, pi);
}

std::vector<double> whole_turn(int64_t views) {
  return evenly(views, 2 * pi);
}

void check(const ScanGeometry& scan) {
  if (scan.angles_rad.empty()) {
    throw Error::misuse("a scan without projection angles", "give at least one view");
  }
  for (const double angle : scan.angles_rad) {
    if (!std::isfinite(angle)) throw Error::misuse("a projection angle is not a finite number");
  }
  if (scan.detectors < 1 || scan.rows < 1 || scan.columns < 1) {
    throw Error::misuse(
        fmt::format("a scan of {} x {} pixels with {} detectors", scan.rows, scan.columns, scan.detectors),
        "all of them must be at least 1");
  }
  if (!(scan.pixel_mm > 0) || !(scan.detector_mm > 0) || !std::isfinite(scan.pixel_mm) ||
      !std::isfinite(scan.detector_mm)) {
    throw Error::misuse(
        fmt::format("a scan with pixels of {} mm and detectors of {} mm", scan.pixel_mm, scan.detector_mm),
        "both must be positive");
  }
  if (!(scan.axis_detector() >= 0) || !(scan.axis_detector() <= static_cast<double>(scan.detectors - 1))) {
    throw Error::misuse(
        fmt::format("a centre of rotation at {} of {} detectors", scan.axis_detector(), scan.detectors),
        "it counts in detectors from 0; the middle is (detectors - 1) / 2");
  }
  if (scan.beam != Beam::Parallel) check_fan(scan);
}

ScanGeometry with_angles(ScanGeometry scan, std::vector<double> angles_rad) {
  scan.angles_rad = std::move(angles_rad);
  return scan;
}

RayScan ray_scan(const ScanGeometry& scan) {
  check(scan);
  RayScan rays{.beam = scan.beam,
               .rows = scan.rows,
               .columns = scan.columns,
               .views = scan.views(),
               .detectors = scan.detectors,
               .rays = {},
               .pixel_views = {},
               .centre = static_cast<float>(scan.axis_detector()),
               .per_lateral = static_cast<float>(per_lateral(scan)),
               .source_mm = static_cast<float>(scan.source_mm)};
  rays.rays.reserve(static_cast<size_t>(rays.views * rays.detectors));
  for (const double angle : scan.angles_rad) {
    for (int64_t u = 0; u < scan.detectors; ++u)
      rays.rays.push_back(joseph_ray(line_of(scan, angle, u), scan.pixel_mm));
    rays.pixel_views.push_back(pixel_view(scan, angle));
  }
  return rays;
}

at::Tensor as_image(const at::Tensor& image_SYX, const ScanGeometry& scan) {
  return as_stack(image_SYX, scan.rows, scan.columns, "the image");
}

at::Tensor as_sinogram(const at::Tensor& sino_SVU, const ScanGeometry& scan) {
  return as_stack(sino_SVU, scan.views(), scan.detectors, "the sinogram");
}

}  // namespace lucivox
