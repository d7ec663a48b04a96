#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/text.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/ray_kernels.h>

namespace lucivox {
namespace {

using std::numbers::pi;

at::Tensor window_of(const at::Tensor& f, RampWindow window) {
  switch (window) {
    case RampWindow::SheppLogan:
      return at::sinc(f / 2);
    case RampWindow::Cosine:
      return at::cos(f * (pi / 2));
    case RampWindow::Hamming:
      return 0.54 + 0.46 * at::cos(f * pi);
    case RampWindow::Hann:
      return 0.5 + 0.5 * at::cos(f * pi);
    case RampWindow::RamLak:
      break;
  }
  return at::ones_like(f);
}

// The discrete Fourier transform of the ramp's samples h(n d), circular over `length`:
// h(0) = 1 / (4 d^2), h(n) = -1 / (pi n d)^2 for odd n, 0 for even n (Kak and Slaney, eq. 3.61). On an arc, n
// d is the angle and sin(n d) takes its place (eq. 3.100, but for its factor 1/2, which is in the views'
// weights).
at::Tensor ramp_spectrum(int64_t length, double spacing, bool arc, RampWindow window) {
  at::Tensor kernel = at::zeros({length}, at::kDouble);
  double* h = kernel.mutable_data_ptr<double>();
  h[0] = 1 / (4 * spacing * spacing);
  for (int64_t n = 1; n < length / 2; n += 2) {
    const double step = static_cast<double>(n) * spacing;
    // beyond a quarter turn no two detectors of a fan lie apart
    const double distance = pi * (arc ? std::sin(std::min(step, pi / 2)) : step);
    h[n] = h[length - n] = -1 / (distance * distance);
  }
  const at::Tensor spectrum = at::real(at::fft_rfft(kernel));
  return (spectrum * window_of(at::linspace(0, 1, spectrum.size(0), at::kDouble), window)).to(at::kFloat);
}

// Detector spacing where it counts: at the axis, or the angle between rays.
double spacing(const ScanGeometry& scan) {
  switch (scan.beam) {
    case Beam::FanFlat:
      return scan.detector_mm * scan.source_mm / scan.source_detector_mm;
    case Beam::FanCurved:
      return scan.detector_mm / scan.source_detector_mm;
    case Beam::Parallel:
      break;
  }
  return scan.detector_mm;
}

at::Tensor filter(const at::Tensor& sino_SVU, const ScanGeometry& scan, RampWindow window) {
  // twice the width, so that the circular convolution equals the linear one
  const auto length = static_cast<int64_t>(std::bit_ceil(2 * static_cast<uint64_t>(scan.detectors)));
  const at::Tensor ramp = ramp_spectrum(length, spacing(scan), scan.beam == Beam::FanCurved, window);
  const at::Tensor spectrum = at::fft_rfft(sino_SVU, length);
  at::view_as_real(spectrum).mul_(ramp.unsqueeze(1).to(spectrum.device()));
  const at::Tensor filtered = at::fft_irfft(spectrum, length);
  return filtered.narrow(2, 0, scan.detectors).mul(spacing(scan)).contiguous();
}

// For each view half the angle between its neighbours, angles being the same `turn` apart.
std::vector<double> shares_of_turn(const std::vector<double>& angles_rad, double turn) {
  const size_t views = angles_rad.size();
  std::vector<double> place(views);
  for (size_t v = 0; v < views; ++v) place[v] = angles_rad[v] - turn * std::floor(angles_rad[v] / turn);
  std::vector<size_t> order(views);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return place[a] < place[b]; });
  std::vector<double> shares(views);
  for (size_t i = 0; i < views; ++i) {
    const double before = i > 0 ? place[order[i - 1]] : place[order[views - 1]] - turn;
    const double after = i + 1 < views ? place[order[i + 1]] : place[order[0]] + turn;
    shares[order[i]] = (after - before) / 2;
  }
  return shares;
}

// The fan angle of each detector, [U].
at::Tensor fan_angles(const ScanGeometry& scan) {
  const at::Tensor s = (at::arange(scan.detectors, at::kDouble) - scan.axis_detector()) * scan.detector_mm;
  return scan.beam == Beam::FanFlat ? at::atan(s / scan.source_detector_mm) : s / scan.source_detector_mm;
}

// The angles of a fan's views in ascending order from 0, and how far apart they are. The scan is evenly
// spaced.
struct Arc {
  std::vector<double> from_first;
  double step, covered;  // covered: by the views, each counting for a step
};

Arc arc_of(const std::vector<double>& angles_rad) {
  const auto [low, high] = std::minmax_element(angles_rad.begin(), angles_rad.end());
  Arc arc;
  for (const double angle : angles_rad) arc.from_first.push_back(angle - *low);
  arc.step = angles_rad.size() < 2 ? 0 : (*high - *low) / static_cast<double>(angles_rad.size() - 1);
  arc.covered = *high - *low + arc.step;
  return arc;
}

// Parker's weights [V, U] of a short scan of half a turn and twice `half_fan`: rays measured twice share 1
// smoothly. The ray at angle b and fan angle g returns at b + pi - 2 g' where its detector counts the other
// way.
at::Tensor parker_weights(const Arc& arc, const at::Tensor& fan_U, double half_fan) {
  const at::Tensor b = at::tensor(arc.from_first, at::kDouble).unsqueeze(1) + arc.step / 2,
                   g = fan_U.unsqueeze(0);
  const auto smooth = [](const at::Tensor& x) { return at::sin(x.clamp(0, 1) * (pi / 2)).square(); };
  const at::Tensor rising = smooth(b / (2 * (half_fan + g)).clamp_min(1e-9)),
                   falling = smooth((pi + 2 * half_fan - b) / (2 * (half_fan - g)).clamp_min(1e-9));
  return at::minimum(rising, falling);
}

// What each measurement of a fan counts in the sum over views, [V, U] or [V, 1].
at::Tensor fan_view_weights(const ScanGeometry& scan, const at::Tensor& fan_U) {
  const Arc arc = arc_of(scan.angles_rad);
  constexpr double rounding = 1e-3;  // angles often come in degrees with a few digits
  if (arc.covered >= 2 * pi - arc.step / 2 - rounding) {
    return at::tensor(shares_of_turn(scan.angles_rad, 2 * pi), at::kDouble).unsqueeze(1) / 2;
  }
  const double needed = pi + 2 * fan_U.abs().max().item<double>();
  if (!(arc.covered >= needed - arc.step - rounding)) {
    throw Error::misuse(
        fmt::format("a fan-beam scan over {:.1f} degrees", arc.covered * 180 / pi),
        fmt::format("filtered back-projection needs half a turn and the fan, {:.1f} degrees; SIRT does not",
                    needed * 180 / pi));
  }
  return parker_weights(arc, fan_U, (arc.covered - pi) / 2) * arc.step;
}

// Weighted before the filter: what Kak and Slaney's steps 1 of 3.4.1 and 3.4.2 do, and what each view counts.
at::Tensor weigh(const at::Tensor& sino_SVU, const ScanGeometry& scan) {
  if (scan.beam == Beam::Parallel) {
    const at::Tensor shares = at::tensor(shares_of_turn(scan.angles_rad, pi), at::kDouble);
    return sino_SVU * shares.to(sino_SVU.options()).unsqueeze(1);
  }
  const at::Tensor fan = fan_angles(scan);
  const double distance = scan.beam == Beam::FanCurved ? 1 / scan.source_mm : 1;
  return sino_SVU * (fan_view_weights(scan, fan) * at::cos(fan) * distance).to(sino_SVU.options());
}

}  // namespace

RampWindow ramp_window(const std::string& name) {
  static const std::map<std::string, RampWindow> windows{{"ram-lak", RampWindow::RamLak},
                                                         {"shepp-logan", RampWindow::SheppLogan},
                                                         {"cosine", RampWindow::Cosine},
                                                         {"hamming", RampWindow::Hamming},
                                                         {"hann", RampWindow::Hann}};
  const auto found = windows.find(name);
  if (found != windows.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, window] : windows) names.push_back(known);
  const std::string near = nearest(name, names);
  throw Error::misuse(fmt::format("there is no filter '{}'", name),
                      near.empty() ? "ram-lak, shepp-logan, cosine, hamming or hann"
                                   : fmt::format("did you mean '{}'?", near));
}

at::Tensor fbp(const at::Tensor& sino_SVU, const ScanGeometry& scan, RampWindow window) {
  // the filter needs ten times the memory of what it filters
  constexpr int64_t together = 16;
  const RayScan rays = ray_scan(scan);
  const at::Tensor sino = as_sinogram(sino_SVU, scan);
  at::Tensor image = at::empty({sino.size(0), scan.rows, scan.columns}, sino.options());
  for (int64_t s = 0; s < sino.size(0); s += together) {
    const int64_t count = std::min(together, sino.size(0) - s);
    const at::Tensor filtered = filter(weigh(sino.narrow(0, s, count), scan), scan, window);
    image.narrow(0, s, count).copy_(back_project_pixels(rays, filtered));
  }
  return image;
}

}  // namespace lucivox
