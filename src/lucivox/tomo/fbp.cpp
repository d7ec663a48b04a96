#include <bit>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include <lucivox/kernels/cpu/projector.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/shapes.h>

namespace lucivox {
namespace {

using std::numbers::pi;

// The discrete Fourier transform of the ramp's samples h(n d), circular over `length`:
// h(0) = 1 / (4 d^2), h(n) = -1 / (pi n d)^2 for odd n, 0 for even n (Kak and Slaney, eq. 3.61).
at::Tensor ramp_spectrum(int64_t length, double detector_mm, RampWindow window) {
  at::Tensor kernel = at::zeros({length}, at::kDouble);
  double* h = kernel.mutable_data_ptr<double>();
  h[0] = 1 / (4 * detector_mm * detector_mm);
  for (int64_t n = 1; n < length / 2; n += 2) {
    const double step = pi * static_cast<double>(n) * detector_mm;
    h[n] = h[length - n] = -1 / (step * step);
  }
  at::Tensor spectrum = at::real(at::fft_rfft(kernel));
  if (window == RampWindow::Hann) {
    const at::Tensor of_nyquist = at::linspace(0, 1, spectrum.size(0), at::kDouble);
    spectrum = spectrum * (0.5 * (1 + at::cos(pi * of_nyquist)));
  }
  return spectrum.to(at::kFloat);
}

at::Tensor filter(const at::Tensor& sino_SVU, double detector_mm, RampWindow window) {
  // twice the width, so that the circular convolution equals the linear one
  const auto width = static_cast<uint64_t>(sino_SVU.size(2));
  const auto length = static_cast<int64_t>(std::bit_ceil(2 * width));
  const at::Tensor spectrum = at::fft_rfft(sino_SVU, length) * ramp_spectrum(length, detector_mm, window);
  const at::Tensor filtered = at::fft_irfft(spectrum, length).narrow(2, 0, sino_SVU.size(2));
  return filtered.mul(detector_mm).contiguous();
}

}  // namespace

at::Tensor fbp(const at::Tensor& sino_SVU, const ParallelBeam& beam, RampWindow window) {
  const at::Tensor filtered = filter(as_sinogram(sino_SVU, beam), beam.detector_mm, window);
  at::Tensor image = at::empty({filtered.size(0), beam.rows, beam.columns}, at::kFloat);
  cpu::back_project_interpolated(scan_of(beam, filtered.size(0)), filtered.const_data_ptr<float>(),
                                 image.mutable_data_ptr<float>());
  return image.mul_(pi / static_cast<double>(beam.views()));
}

}  // namespace lucivox
