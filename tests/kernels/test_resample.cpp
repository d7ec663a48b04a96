#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/kernels/pixels.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/kernels/cpu/resample.h>

namespace lucivox {
namespace {

template <typename Check>
void at_every_width(const Check& check) {
  torch::manual_seed(1);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (const int64_t channels : {1, 5, 8, 17}) {
      SCOPED_TRACE(fmt::format("{} with {} channels", hwy::TargetName(target), channels));
      check(channels);
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Gradients that come to what odd channels hold, through activations of slope 1/2 in every third channel.
struct Arriving {
  explicit Arriving(const at::Tensor& activations)
      : x(activations),
        kept((torch::arange(x.size(3)) % 2).to(at::kFloat)),
        slope(torch::where(torch::arange(x.size(3)) % 3 == 0, torch::full({x.size(3)}, 0.5F),
                           torch::ones({x.size(3)}))),
        before(torch::where(kept > 0, torch::randn_like(x), NAN)),
        dx(slice_of_nan(before)) {}

  cpu::Arrival arrival() const {
    return {const_pixels(x), kept.const_data_ptr<float>(), slope.const_data_ptr<float>()};
  }
  at::Tensor expected(const at::Tensor& gradient_nchw) const {
    const at::Tensor sum = torch::where(kept > 0, before, 0) + gradient_nchw.permute({0, 2, 3, 1});
    return torch::where(x > 0, sum, sum * slope);
  }

  at::Tensor x, kept, slope, before, dx;
};

at::Tensor as_nchw(const at::Tensor& x) {
  return x.permute({0, 3, 1, 2});
}

// Few different values, so that windows have several largest ones.
TEST(MaxPool, IsLibtorchsAtEveryVectorLength) {
  at_every_width([](int64_t channels) {
    for (const cpu::Pooling& p : {cpu::Pooling{3, 2, 1}, cpu::Pooling{2, 2, 0}, cpu::Pooling{5, 3, 2}}) {
      const at::Tensor x = slice_of_nan(torch::randint(-2, 3, {2, 13, 10, channels}).to(at::kFloat));
      const at::Tensor input = as_nchw(x).contiguous().requires_grad_(),
                       truth = at::max_pool2d(input, p.kernel, p.stride, p.padding);
      const at::Tensor y = slice_of_nan(torch::zeros({2, truth.size(2), truth.size(3), channels})),
                       winners = torch::empty(y.sizes());
      cpu::max_pool(const_pixels(x), p, pixels(y), winners.mutable_data_ptr<float>());
      EXPECT_TRUE(at::equal(as_nchw(y), truth));

      const at::Tensor dy = slice_of_nan(torch::randn(y.sizes()));
      truth.backward(as_nchw(dy));
      const Arriving to(x);
      cpu::max_pool_gradient(const_pixels(dy), p, winners.const_data_ptr<float>(), to.arrival(),
                             pixels(to.dx));
      EXPECT_LT(largest_difference(to.dx, to.expected(input.grad())), 1e-6) << p.kernel;
      EXPECT_TRUE(sides_untouched(y) && sides_untouched(to.dx));
    }
  });
}

TEST(Upsample, IsLibtorchsAtEveryVectorLength) {
  at_every_width([](int64_t channels) {
    for (const cpu::Grids grids : {cpu::Grids::AlignedCorners, cpu::Grids::HalfPixels}) {
      const bool aligned = grids == cpu::Grids::AlignedCorners;
      for (const int64_t factor : {2, 3}) {
        for (const int64_t rows : {1, 7}) {
          SCOPED_TRACE(fmt::format("{} rows by {}, corners aligned: {}", rows, factor, aligned));
          const at::Tensor x = slice_of_nan(torch::randn({2, rows, 5, channels}));
          const at::Tensor input = as_nchw64(x).contiguous().requires_grad_(),
                           truth = at::upsample_bilinear2d(input, {rows * factor, 5 * factor}, aligned);
          const at::Tensor y = slice_of_nan(torch::zeros({2, rows * factor, 5 * factor, channels}));
          cpu::upsample(const_pixels(x), grids, pixels(y));
          EXPECT_LT(largest_difference(as_nchw(y), truth), 1e-6);

          const at::Tensor dy = slice_of_nan(torch::randn(y.sizes()));
          truth.backward(as_nchw64(dy));
          const Arriving to(x);
          cpu::upsample_gradient(const_pixels(dy), grids, to.arrival(), pixels(to.dx));
          EXPECT_LT(largest_difference(to.dx, to.expected(input.grad())), 2e-6);
          EXPECT_TRUE(sides_untouched(y) && sides_untouched(to.dx));
        }
      }
    }
  });
}

// New centres lie a quarter of a pixel beside the old ones: these mix 3 to 1, and the border is repeated.
TEST(Upsample, HalfPixelsMixThreeToOne) {
  const at::Tensor x = torch::tensor({0.0F, 4.0F, 12.0F}).view({1, 1, 3, 1}), y = torch::empty({1, 2, 6, 1});
  cpu::upsample(const_pixels(x), cpu::Grids::HalfPixels, pixels(y));
  const at::Tensor row = torch::tensor({0.0F, 1.0F, 3.0F, 6.0F, 10.0F, 12.0F});
  EXPECT_TRUE(at::equal(y.view({2, 6}), at::stack({row, row})));
}

}  // namespace
}  // namespace lucivox
