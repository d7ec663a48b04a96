#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/simulated_scan.h>

namespace lucivox {
namespace {

ScanGeometry finer(ScanGeometry scan) {
  scan.centre = kFiner * scan.axis_detector() + static_cast<double>(kFiner - 1) / 2;
  scan.detectors *= kFiner;
  scan.detector_mm /= kFiner;
  scan.rows *= kFiner;
  scan.columns *= kFiner;
  scan.pixel_mm /= kFiner;
  return scan;
}

}  // namespace

at::Tensor seen_by_detectors(const at::Tensor& fine_SYX, const ScanGeometry& scan) {
  const at::Tensor fine_SVU = Projector(finer(scan)).forward(fine_SYX);
  const at::Tensor rays = fine_SVU.neg_().exp_().unflatten(2, {scan.detectors, kFiner});
  return rays.mean(3).log_().neg_();
}

at::Tensor mean_over_pixels(const at::Tensor& fine_SYX) {
  return at::avg_pool2d(fine_SYX, kFiner);
}

at::Tensor measure_slices(const at::Tensor& integrals_SVU, const std::function<Dose(int64_t)>& dose_of,
                          const std::function<uint64_t(int64_t)>& seed_of) {
  std::vector<at::Tensor> sinograms;
  for (int64_t s = 0; s < integrals_SVU.size(0); ++s)
    sinograms.push_back(measure(integrals_SVU[s], dose_of(s), seed_of(s)));
  return at::stack(sinograms);
}

void require_at_least(int64_t value, int64_t least, const char* what) {
  if (value < least)
    throw Error::misuse(fmt::format("{} = {}", what, value), fmt::format("at least {}", least));
}

void require_within(double value, double low, double high, const char* what, const char* hint) {
  if (!(value >= low) || !(value <= high)) throw Error::misuse(fmt::format("{} = {}", what, value), hint);
}

void require_share(double value, const char* what, const char* hint) {
  if (!(value > 0) || !(value <= 1))
    throw Error::misuse(fmt::format("{} = {}", what, value),
                        fmt::format("{}: more than 0 and at most 1", hint));
}

void require_slices(int64_t first, int64_t count, int64_t all) {
  if (first >= 0 && count >= 1 && count <= all - first) return;
  throw Error::misuse(fmt::format("{} slices from slice {} of a simulation of {}", count, first, all),
                      "slices count from 0");
}

}  // namespace lucivox
