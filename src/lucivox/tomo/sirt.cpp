#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/image/image.h>
#include <lucivox/tomo/sirt.h>

namespace lucivox {
namespace {

void check(const SirtOptions& options) {
  if (options.iterations < 1)
    throw Error::misuse(fmt::format("SIRT with {} iterations", options.iterations), "at least one");
  if (!(options.relaxation > 0) || !(options.relaxation < 2))
    throw Error::misuse(fmt::format("SIRT with a relaxation of {}", options.relaxation),
                        "it converges between 0 and 2; 1 is the usual one");
  if (!(options.tolerance >= 0) || !(options.tolerance < 1))
    throw Error::misuse(fmt::format("SIRT with a tolerance of {}", options.tolerance),
                        "a share of the residual, such as 0.001");
  if (options.minimum && options.maximum && !(*options.minimum <= *options.maximum))
    throw Error::misuse(fmt::format("SIRT between {} and {} 1/mm", *options.minimum, *options.maximum),
                        "the minimum must not exceed the maximum");
}

// Elements below this share of the largest are rays or pixels that the scan hardly touches: their reciprocals
// would blow rounding up.
constexpr double kTouched = 1e-6;

at::Tensor reciprocal_or_0(const at::Tensor& sums) {
  const double least = kTouched * sums.max().item<double>();
  return at::where(sums > least, sums.reciprocal(), at::zeros_like(sums));
}

bool flat(const std::vector<double>& residuals, double tolerance) {
  if (residuals.size() < 2) return false;
  const double before = residuals[residuals.size() - 2], now = residuals.back();
  return before - now < tolerance * before;
}

}  // namespace

Sirt::Sirt(const at::Tensor& sino_SVU, const ScanGeometry& scan, SirtOptions options)
    : projector_(scan), options_(std::move(options)), sino_(as_sinogram(sino_SVU, scan)) {
  check(options_);
  require_finite(sino_, "the sinogram");
  const at::TensorOptions here = sino_.options();
  inside_ = options_.mask_YX.defined() ? as_image(options_.mask_YX.unsqueeze(0).to(here), scan)
                                       : at::ones({1, scan.rows, scan.columns}, here);
  row_sums_ = projector_.forward(inside_);
  column_sums_ = projector_.adjoint(at::ones({1, scan.views(), scan.detectors}, here)).to(at::kDouble);
  take_sums();
  image_ = options_.start_SYX.defined() ? as_image(options_.start_SYX.to(here), scan).clone()
                                        : at::zeros({sino_.size(0), scan.rows, scan.columns}, here);
  if (image_.size(0) != sino_.size(0))
    throw Error::misuse(fmt::format("a start of {} slices for {}", image_.size(0), sino_.size(0)),
                        "the start has one slice for each of the sinogram's");
  norm_ = sino_.norm().item<double>();
}

void Sirt::take_sums() {
  by_ray_ = reciprocal_or_0(row_sums_);
  by_pixel_ = reciprocal_or_0(column_sums_.to(at::kFloat)) * inside_ * options_.relaxation;
}

// What one view adds to them: the same number whichever views are replaced together with it.
at::Tensor Sirt::column_sums_of(double angle_rad) const {
  const Projector view(with_angles(projector_.geometry(), {angle_rad}));
  return view.adjoint(at::ones({1, 1, view.geometry().detectors}, sino_.options())).to(at::kDouble);
}

void Sirt::replace_views(int64_t first, const std::vector<double>& angles_rad, const at::Tensor& sino_SVU) {
  const ScanGeometry part = with_angles(projector_.geometry(), angles_rad);
  const int64_t views = projector_.geometry().views();
  if (first < 0 || part.views() < 1 || first + part.views() > views)
    throw Error::misuse(fmt::format("views {}:{} of a window of {}", first, first + part.views(), views),
                        "views count from 0; those of a window are replaced where they are");
  const at::Tensor sino = as_sinogram(sino_SVU.to(sino_.options()), part);
  if (sino.size(0) != sino_.size(0))
    throw Error::misuse(fmt::format("{} slices for a window of {}", sino.size(0), sino_.size(0)),
                        "every view has the rows that the first ones had");
  require_finite(sino, "the sinogram");
  const Projector projector(part);
  for (int64_t v = 0; v < part.views(); ++v) {
    const double before = projector_.geometry().angles_rad[static_cast<size_t>(first + v)];
    column_sums_ += column_sums_of(angles_rad[static_cast<size_t>(v)]) - column_sums_of(before);
  }
  row_sums_.narrow(1, first, part.views()).copy_(projector.forward(inside_));
  take_sums();
  projector_.replace_views(first, angles_rad);
  if (!std::exchange(owns_sino_, true)) sino_ = sino_.clone();
  sino_.narrow(1, first, part.views()).copy_(sino);
  norm_ = sino_.norm().item<double>();
}

double Sirt::iterate() {
  at::Tensor missing = at::sub(sino_, projector_.forward(image_));
  const double residual = missing.norm().item<double>() / (norm_ > 0 ? norm_ : 1);
  image_.addcmul_(projector_.adjoint(missing.mul_(by_ray_)), by_pixel_);
  if (options_.minimum) image_.clamp_min_(*options_.minimum);
  if (options_.maximum) image_.clamp_max_(*options_.maximum);
  return residual;
}

SirtResult sirt(const at::Tensor& sino_SVU, const ScanGeometry& scan, const SirtOptions& options) {
  Sirt solver(sino_SVU, scan, options);
  std::vector<double> residuals;
  for (int64_t i = 1; i <= options.iterations; ++i) {
    residuals.push_back(solver.iterate());
    if (options.progress && !options.progress(i, residuals.back())) break;
    if (flat(residuals, options.tolerance)) break;
  }
  return {solver.image(), residuals};
}

}  // namespace lucivox
