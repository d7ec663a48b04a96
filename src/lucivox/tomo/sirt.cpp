#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/image/image.h>
#include <lucivox/tomo/project.h>
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

class Sirt {
 public:
  Sirt(const at::Tensor& sino_SVU, const ScanGeometry& scan, const SirtOptions& options)
      : projector_(scan), options_(options), sino_(as_sinogram(sino_SVU, scan)) {
    require_finite(sino_, "the sinogram");
    const at::Tensor ones = at::ones({1, scan.rows, scan.columns});
    const at::Tensor inside = options.mask_YX.defined() ? as_image(options.mask_YX.unsqueeze(0), scan) : ones;
    by_ray_ = reciprocal_or_0(projector_.forward(inside));
    by_pixel_ = reciprocal_or_0(projector_.adjoint(at::ones({1, scan.views(), scan.detectors}))) * inside *
                options.relaxation;
    image_ = options.start_SYX.defined() ? as_image(options.start_SYX, scan).clone()
                                         : at::zeros({sino_.size(0), scan.rows, scan.columns});
    if (image_.size(0) != sino_.size(0))
      throw Error::misuse(fmt::format("a start of {} slices for {}", image_.size(0), sino_.size(0)),
                          "the start has one slice for each of the sinogram's");
    norm_ = sino_.norm().item<double>();
  }

  SirtResult run() {
    std::vector<double> residuals;
    for (int64_t i = 1; i <= options_.iterations; ++i) {
      residuals.push_back(iterate());
      if (options_.progress && !options_.progress(i, residuals.back())) break;
      if (residuals.size() > 1 && flat(residuals)) break;
    }
    return {image_, residuals};
  }

 private:
  // Gives the residual before it.
  double iterate() {
    at::Tensor missing = at::sub(sino_, projector_.forward(image_));
    const double residual = missing.norm().item<double>() / (norm_ > 0 ? norm_ : 1);
    image_.addcmul_(projector_.adjoint(missing.mul_(by_ray_)), by_pixel_);
    if (options_.minimum) image_.clamp_min_(*options_.minimum);
    if (options_.maximum) image_.clamp_max_(*options_.maximum);
    return residual;
  }

  bool flat(const std::vector<double>& residuals) const {
    const double before = residuals[residuals.size() - 2], now = residuals.back();
    return before - now < options_.tolerance * before;
  }

  const Projector projector_;
  const SirtOptions& options_;
  at::Tensor sino_, by_ray_, by_pixel_, image_;
  double norm_ = 0;
};

}  // namespace

SirtResult sirt(const at::Tensor& sino_SVU, const ScanGeometry& scan, const SirtOptions& options) {
  check(options);
  return Sirt(sino_SVU, scan, options).run();
}

}  // namespace lucivox
