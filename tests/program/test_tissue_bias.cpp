#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/program/tissue_bias.h>

namespace lucivox {
namespace {

// Half fat, half soft tissue; the low dose is 4 too high everywhere, the enhanced 10 too low in fat alone.
TEST(TissueBias, IsTheMeanErrorOfEachTissue) {
  at::Tensor full = torch::full({20, 40}, 50.0F);
  full.narrow(1, 0, 20).fill_(-100);
  at::Tensor enhanced = full.clone();
  enhanced.narrow(1, 0, 20).sub_(10);
  TissueBias bias;
  bias.add(full + 4, enhanced, full);
  const Json tissues = bias.json();
  ASSERT_EQ(tissues.size(), 2U) << tissues;
  EXPECT_EQ(tissues[0].at("tissue"), "fat");
  EXPECT_NEAR(tissues[0].at("before_hu").get<double>(), 4, 1e-4);
  EXPECT_NEAR(tissues[0].at("after_hu").get<double>(), -10, 1e-4);
  EXPECT_EQ(tissues[1].at("tissue"), "soft tissue");
  EXPECT_NEAR(tissues[1].at("after_hu").get<double>(), 0, 1e-4);
}

}  // namespace
}  // namespace lucivox
