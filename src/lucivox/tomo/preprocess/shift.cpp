#include <numbers>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/preprocess/checks.h>
#include <lucivox/tomo/preprocess/shift.h>

namespace lucivox {
namespace {

using std::numbers::pi;

// One slice [V, U] moved by `columns` to the right.
at::Tensor shifted(const at::Tensor& slice_VU, double columns) {
  const int64_t width = slice_VU.size(1);
  const at::Tensor mirrored = at::cat({slice_VU, slice_VU.flip(1)}, 1);
  const at::Tensor phase = at::arange(width + 1, at::kDouble) * (-pi * columns / static_cast<double>(width));
  const at::Tensor turned =
      at::fft_rfft(mirrored) * at::polar(at::ones_like(phase), phase).to(at::kComplexFloat);
  return at::fft_irfft(turned, 2 * width).narrow(1, 0, width);
}

}  // namespace

at::Tensor centred(const at::Tensor& sino_SVU, const std::vector<double>& centres) {
  const at::Tensor sino = as_finite(sino_SVU, "the sinogram", "S, V, U");
  if (sino.size(0) != std::ssize(centres)) {
    throw Error::misuse(fmt::format("{} centres of rotation for {} slices", centres.size(), sino.size(0)),
                        "give one for each");
  }
  const auto last = static_cast<double>(sino.size(2) - 1);
  at::Tensor moved = at::empty_like(sino);
  for (int64_t s = 0; s < sino.size(0); ++s) {
    const double centre = centres[static_cast<size_t>(s)];
    if (!(centre >= 0 && centre <= last)) {
      throw Error::misuse(fmt::format("a centre of rotation at {} of {} columns", centre, sino.size(2)),
                          "it counts in columns from 0 and lies on the detector");
    }
    moved[s] = shifted(sino[s], last / 2 - centre);
  }
  return moved;
}

}  // namespace lucivox
