#pragma once

#include <cmath>

#include <torch/torch.h>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

// A disc of 1/mm in the middle of the image; edges are averaged over 8x8 points a pixel.
inline at::Tensor disc(const ParallelBeam& beam, double radius_mm, double value) {
  constexpr int64_t fine = 8;
  const auto axis = [&](int64_t count) {
    return (torch::arange(count * fine, at::kDouble) + 0.5) * (beam.pixel_mm / fine) -
           static_cast<double>(count) * beam.pixel_mm / 2;
  };
  const at::Tensor inside = axis(beam.rows).square().unsqueeze(1) + axis(beam.columns).square().unsqueeze(0) <
                            radius_mm * radius_mm;
  return at::avg_pool2d(inside.to(at::kFloat).unsqueeze(0), fine) * value;
}

// What every view sees of that disc: chords of length 2 sqrt(r^2 - s^2).
inline at::Tensor disc_sinogram(const ParallelBeam& beam, double radius_mm, double value) {
  const at::Tensor s =
      (torch::arange(beam.detectors, at::kDouble) - static_cast<double>(beam.detectors - 1) / 2) *
      beam.detector_mm;
  const at::Tensor chord = 2 * value * (radius_mm * radius_mm - s.square()).clamp_min(0).sqrt();
  return chord.to(at::kFloat).expand({1, beam.views(), beam.detectors}).contiguous();
}

}  // namespace lucivox
