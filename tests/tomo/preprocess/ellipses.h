#pragma once

#include <cmath>
#include <vector>

#include <torch/types.h>

namespace lucivox {

// Lengths in detector columns, from the axis of rotation; value per column.
struct Ellipse {
  double x, y, half_length, half_width, angle_rad, value;
};

// Its exact line integrals, float32 [V, U], with the axis of rotation at the column `centre`: the chord of an
// ellipse at distance r is 2 a b sqrt(w^2 - r^2) / w^2, with w its half shadow.
inline at::Tensor ellipse_sinogram(const std::vector<Ellipse>& ellipses,
                                   const std::vector<double>& angles_rad, int64_t detectors, double centre) {
  const at::Tensor columns = torch::arange(detectors, at::kDouble) - centre;
  at::Tensor sino = torch::zeros({static_cast<int64_t>(angles_rad.size()), detectors}, at::kDouble);
  for (const Ellipse& e : ellipses) {
    for (size_t v = 0; v < angles_rad.size(); ++v) {
      const double t = angles_rad[v];
      const double w =
          std::hypot(e.half_length * std::cos(t - e.angle_rad), e.half_width * std::sin(t - e.angle_rad));
      const at::Tensor r = columns - (e.x * std::cos(t) + e.y * std::sin(t));
      sino[static_cast<int64_t>(v)] +=
          2 * e.value * e.half_length * e.half_width * (w * w - r.square()).clamp_min(0).sqrt() / (w * w);
    }
  }
  return sino.to(at::kFloat);
}

// A body with a few details that fits a detector of 200 columns times `scale`, with its axis up to 15 % off
// the middle. Its largest line integral is 2.0 at every scale.
inline std::vector<Ellipse> body(double scale = 1) {
  std::vector<Ellipse> ellipses{{6, -5, 48, 36, 0.4, 0.014},
                                {22, 14, 9, 7, 0.3, 0.028},
                                {-18, 7, 6, 11, 1.0, -0.01},
                                {0, -22, 4, 4, 0, 0.04}};
  for (Ellipse& e : ellipses) {
    for (double* length : {&e.x, &e.y, &e.half_length, &e.half_width}) *length *= scale;
    e.value /= scale;
  }
  return ellipses;
}

}  // namespace lucivox
