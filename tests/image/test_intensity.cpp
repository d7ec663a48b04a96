#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/image/intensity.h>

namespace lucivox {
namespace {

TEST(IntensityMapping, WindowIsTheSameForEverySlice) {
  const at::Tensor hu = torch::tensor({-1536.0F, 0.0F, 1536.0F, 3072.0F}).view({1, 1, 2, 2});
  const at::Tensor unit = apply_mapping({}, hu).to_unit(hu).flatten();
  EXPECT_TRUE(at::equal(unit, torch::tensor({0.0F, 0.5F, 1.0F, 1.5F})));
}

TEST(IntensityMapping, BackGivesTheHuAgain) {
  const at::Tensor hu = torch::randn({2, 1, 8, 8}) * 700;
  for (const auto kind : {IntensityMapping::Kind::Window, IntensityMapping::Kind::SliceMinMax}) {
    const AppliedMapping mapping = apply_mapping({.kind = kind}, hu);
    EXPECT_LT((mapping.from_unit(mapping.to_unit(hu)) - hu).abs().max().item<double>(), 1e-3);
  }
}

// The public code: 1 - (v - min) / (max - min), each slice by itself.
TEST(IntensityMapping, SliceMinMaxInvertsAsTheReferenceDoes) {
  const at::Tensor hu =
      torch::tensor({-1000.0F, 0.0F, 500.0F, 1000.0F, 0.0F, 0.0F, 0.0F, 10.0F}).view({2, 1, 2, 2});
  const at::Tensor unit =
      apply_mapping({.kind = IntensityMapping::Kind::SliceMinMax}, hu).to_unit(hu).flatten();
  EXPECT_TRUE(at::allclose(unit, torch::tensor({1.0F, 0.5F, 0.25F, 0.0F, 1.0F, 1.0F, 1.0F, 0.0F})));
}

TEST(IntensityMapping, AConstantSliceStaysFinite) {
  const at::Tensor hu = torch::full({1, 1, 4, 4}, 37.0F);
  const AppliedMapping mapping = apply_mapping({.kind = IntensityMapping::Kind::SliceMinMax}, hu);
  EXPECT_TRUE(at::equal(mapping.from_unit(mapping.to_unit(hu)), hu));
}

TEST(IntensityMapping, SurvivesJsonAndRefusesNonsense) {
  const IntensityMapping mapping{.low = -100, .high = 300};
  EXPECT_EQ(to_json(mapping_from_json(to_json(mapping))), to_json(mapping));
  EXPECT_THROW(mapping_from_json({{"kind", "magic"}}), Error);
  EXPECT_THROW(mapping_from_json({{"low", 5}, {"high", 5}}), Error);
  EXPECT_THROW(mapping_from_json({{"lo", 5}}), Error);
}

}  // namespace
}  // namespace lucivox
