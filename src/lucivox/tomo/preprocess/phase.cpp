#include <bit>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/preprocess/checks.h>
#include <lucivox/tomo/preprocess/phase.h>

namespace lucivox {
namespace {

using std::numbers::pi;

// h c in keV mm (CODATA 2018): wavelength = h c / energy.
constexpr double kKeVmm = 1.239841984332e-6;

// A filter that blurs over more pixels than detectors have comes from a wrong unit.
constexpr double kLongestBlur = 4096;

// l of phase.h, in pixels.
double blur_pixels(const Propagation& p) {
  const double wavelength_mm = kKeVmm / p.energy_keV;
  return std::sqrt(p.distance_mm * wavelength_mm * p.delta_beta / (4 * pi)) / p.pixel_mm;
}

void check(const Propagation& p) {
  if (!(p.pixel_mm > 0) || !(p.energy_keV > 0) || !(p.distance_mm >= 0) || !(p.delta_beta >= 0)) {
    throw Error::misuse(fmt::format("phase retrieval with pixels of {} mm, {} keV, a distance of {} mm and "
                                    "delta / beta of {}",
                                    p.pixel_mm, p.energy_keV, p.distance_mm, p.delta_beta),
                        "pixel and energy must be positive, distance and delta / beta at least 0");
  }
  if (!(blur_pixels(p) <= kLongestBlur)) {
    throw Error::misuse(fmt::format("phase retrieval that blurs over {:.3g} pixels", blur_pixels(p)),
                        "pixel and distance are in mm, the energy in keV: is one of them in another unit?");
  }
}

// |k|^2 of the discrete frequencies of `length` pixels, in radians^2 a pixel^2.
at::Tensor squared(const at::Tensor& cycles_a_pixel) {
  return (cycles_a_pixel * (2 * pi)).square();
}

// The smallest 2^a 3^b 5^c that is not smaller: fast Fourier transforms are fast for such.
int64_t fast_length(int64_t at_least) {
  for (int64_t length = at_least;; ++length) {
    int64_t rest = length;
    for (const int64_t factor : {2, 3, 5}) {
      while (rest % factor == 0) rest /= factor;
    }
    if (rest == 1) return length;
  }
}

// The gain for real transforms of [height, width].
at::Tensor low_pass(int64_t height, int64_t width, double blur) {
  const at::Tensor kz = squared(at::fft_fftfreq(height, 1.0, at::kDouble)).unsqueeze(1);
  const at::Tensor ku = squared(at::fft_rfftfreq(width, 1.0, at::kDouble)).unsqueeze(0);
  return (1 + blur * blur * (kz + ku)).reciprocal().to(at::kFloat);
}

// A view between replicated margins. A view of one row is constant along Z and needs none there.
struct Padding {
  int64_t top, left, height, width;

  Padding(int64_t rows, int64_t columns, int64_t margin)
      : top(rows == 1 ? 0 : margin),
        left(margin),
        height(fast_length(rows + 2 * top)),
        width(fast_length(columns + 2 * left)) {}
};

at::Tensor clamped_indices(int64_t before, int64_t size, int64_t padded) {
  return (at::arange(padded, at::kLong) - before).clamp(0, size - 1);
}

}  // namespace

at::Tensor retrieve_phase(const at::Tensor& transmission_VZU, const Propagation& propagation) {
  check(propagation);
  const at::Tensor in = as_finite(transmission_VZU, "the projections", "V, Z, U");
  const Padding pad(in.size(1), in.size(2), phase_halo(propagation));
  const at::Tensor rows = clamped_indices(pad.top, in.size(1), pad.height);
  const at::Tensor columns = clamped_indices(pad.left, in.size(2), pad.width);
  const at::Tensor gain = low_pass(pad.height, pad.width, blur_pixels(propagation));
  at::Tensor out = at::empty_like(in);
  parallel_for(0, in.size(0), [&](int64_t v) {
    const at::Tensor padded = in[v].index_select(0, rows).index_select(1, columns);
    const at::Tensor smooth = at::fft_irfft2(at::fft_rfft2(padded).mul_(gain), {{pad.height, pad.width}});
    out[v].copy_(minus_log(smooth.narrow(0, pad.top, in.size(1)).narrow(1, pad.left, in.size(2))));
  });
  return out;
}

int64_t phase_halo(const Propagation& propagation, double tolerance) {
  check(propagation);
  if (!(tolerance > 0) || !(tolerance < 1)) {
    throw Error::misuse(fmt::format("a tolerance of {} for the halo", tolerance), "give one between 0 and 1");
  }
  const double blur = blur_pixels(propagation);
  // exp(-32) is below double's rounding, so that the kernel does not meet itself around the end
  const auto length = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(64 * blur) + 1024));
  const at::Tensor gain =
      (1 + blur * blur * squared(at::fft_rfftfreq(length, 1.0, at::kDouble))).reciprocal();
  const at::Tensor kernel = at::fft_irfft(gain.to(at::kComplexDouble), length).abs();
  const double* const weight = kernel.const_data_ptr<double>();
  double outside = 0;
  int64_t halo = length / 2;
  while (halo > 0 && outside + 2 * weight[halo] <= tolerance) outside += 2 * weight[halo--];
  return halo;
}

}  // namespace lucivox
