#include <gtest/gtest.h>
#include <tests/devices.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/metrics/quality.h>

namespace lucivox {
namespace {

// 20 HU off everywhere in a window of 2000: mse = 1e-4, hence 40 dB.
TEST(Quality, OfAConstantOffsetIsExact) {
  on_every_device([](c10::Device device) {
    const at::Tensor truth = torch::rand({32, 32}).to(device) * 1000;
    const Quality q = quality(truth + 20, truth, {-1000, 1000});
    EXPECT_NEAR(q.rmse, 20, 1e-4);
    EXPECT_NEAR(q.bias, 20, 1e-4);
    EXPECT_NEAR(quality(truth - 20, truth, {-1000, 1000}).bias, -20, 1e-4);
    EXPECT_NEAR(q.mse, 1e-4, 1e-9);
    EXPECT_NEAR(q.psnr, 40, 1e-4);
  });
}

TEST(Quality, OfEqualImagesIsFinite) {
  on_every_device([](c10::Device device) {
    const at::Tensor x = torch::rand({32, 32}).to(device);
    const Quality q = quality(x, x, {0, 1});
    EXPECT_EQ(q.mse, 0);
    EXPECT_EQ(q.psnr, 200);
    EXPECT_NEAR(q.ssim, 1, 1e-12);
  });
}

TEST(Quality, RefusesAnEmptyWindow) {
  const at::Tensor x = torch::rand({32, 32});
  EXPECT_THROW(quality(x, x, {1, 1}), Error);
  EXPECT_THROW(quality(x, x, {NAN, 1}), Error);
  EXPECT_THROW(quality(x, x, {0, INFINITY}), Error);
}

TEST(Quality, MeanIsOfEveryField) {
  const Quality q = mean({{1, 2, 3, 4, 5, -6}, {3, 4, 5, 6, 7, 2}});
  EXPECT_EQ(q.mse, 2);
  EXPECT_EQ(q.psnr, 3);
  EXPECT_EQ(q.ssim, 4);
  EXPECT_EQ(q.ms_ssim, 5);
  EXPECT_EQ(q.rmse, 6);
  EXPECT_EQ(q.bias, -2);
  EXPECT_THROW(mean({}), Error);
}

}  // namespace
}  // namespace lucivox
