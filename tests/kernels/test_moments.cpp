#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/kernels/pixels.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/kernels/cpu/moments.h>

namespace lucivox {
namespace {

struct Moments {
  at::Tensor mean, variance;
};

Moments moments(const at::Tensor& x) {
  Moments m{torch::empty({x.size(3)}, at::kDouble), torch::empty({x.size(3)}, at::kDouble)};
  cpu::moments(const_pixels(x), m.mean.mutable_data_ptr<double>(), m.variance.mutable_data_ptr<double>());
  return m;
}

// Floats over 64 pixels, each rounded at 6e-8, then doubles.
void expect_moments(const at::Tensor& x) {
  const Moments m = moments(x);
  const at::Tensor truth = x.to(at::kDouble);
  const double size = truth.abs().mean().item<double>();
  EXPECT_LT(largest_difference(m.mean, truth.mean(at::IntArrayRef{0, 1, 2})), 1e-6 * size);
  EXPECT_LT(relative_difference(m.variance, truth.var(at::IntArrayRef{0, 1, 2}, false)), 2e-6);
}

TEST(Moments, AreThoseOfFloat64AtEveryVectorLength) {
  torch::manual_seed(1);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (const int64_t channels : {1, 3, 7, 8, 17, 80}) {
      SCOPED_TRACE(fmt::format("{} with {} channels", hwy::TargetName(target), channels));
      expect_moments(slice_of_nan(torch::randn({2, 9, 7, channels})));
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Where libtorch's channels-last kernels lose digits: many pixels, and a mean far above the deviation.
TEST(Moments, KeepTheirDigitsOverManyPixels) {
  torch::manual_seed(2);
  expect_moments(torch::randn({1, 256, 256, 8}) * 0.1);
  expect_moments(torch::randn({1, 256, 256, 8}) * 0.1 + 10);
}

TEST(Moments, OfAConstantAreItAndNothing) {
  const Moments m = moments(torch::full({1, 8, 8, 2}, 3.0F));
  EXPECT_TRUE((m.mean == 3).all().item<bool>());
  EXPECT_TRUE((m.variance == 0).all().item<bool>());
}

}  // namespace
}  // namespace lucivox
