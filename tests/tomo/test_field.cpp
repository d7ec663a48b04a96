#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/field.h>

namespace lucivox {
namespace {

// Pixels of half a voxel lie in one voxel each.
TEST(InField, RepeatsVoxelsThatFit) {
  const at::Tensor hu = torch::randint(-900, 900, {2, 6, 6}).to(at::kFloat);
  EXPECT_TRUE(
      at::equal(in_field(hu, {0.7, 0.7}, 12, 0.35), hu.repeat_interleave(2, 1).repeat_interleave(2, 2)));
}

// 4 rows of 3 mm and 3 columns of 2 mm in a field of 20 mm: voxels 6 and 4 pixels of 0.5 mm wide, 8 pixels of
// air above and 14 on the left.
TEST(InField, PlacesAnyShapeInTheMiddle) {
  const at::Tensor hu = torch::arange(12, at::kFloat).view({1, 4, 3});
  const at::Tensor field = in_field(hu, {2, 3}, 40, 0.5);
  at::Tensor expected = torch::full({1, 40, 40}, -1000.0F);
  expected.slice(1, 8, 32).slice(2, 14, 26).copy_(hu.repeat_interleave(6, 1).repeat_interleave(4, 2));
  EXPECT_TRUE(at::equal(field, expected));
}

// What attenuates is neither lost nor gained, however the pixels lie.
TEST(InField, KeepsTheWhole) {
  const at::Tensor hu = torch::rand({1, 9, 14}) * 2000 - 1000;
  const at::Tensor field = in_field(hu, {0.9, 1.3}, 33, 0.77);
  const auto whole = [](const at::Tensor& of, double area) {
    return (of + 1000).sum(at::kDouble).item<double>() * area;
  };
  EXPECT_NEAR(whole(field, 0.77 * 0.77) / whole(hu, 0.9 * 1.3), 1, 1e-5);
}

TEST(InField, TakesWhatIsBelowAirForAir) {
  EXPECT_TRUE(
      at::equal(in_field(torch::full({1, 4, 4}, -3024.0F), {}, 4, 1), torch::full({1, 4, 4}, -1000.0F)));
}

// A field smaller than the slice shows its middle.
TEST(InField, CropsWhatIsLarger) {
  const at::Tensor hu = torch::arange(64, at::kFloat).view({1, 8, 8});
  EXPECT_TRUE(at::equal(in_field(hu, {}, 4, 1), hu.slice(1, 2, 6).slice(2, 2, 6)));
}

TEST(InField, RefusesTheImpossible) {
  EXPECT_THROW(in_field(torch::zeros({4, 4}), {}, 4, 1), Error);
  EXPECT_THROW(in_field(torch::zeros({1, 4, 4}), {0, 1}, 4, 1), Error);
  EXPECT_THROW(in_field(torch::zeros({1, 4, 4}), {}, 4, -1), Error);
}

// 50 mm around the middle of 128 mm: pixels of 1 mm at 49.5 mm are in, at 50.5 mm out.
TEST(KeepCircle, LeavesAirAround) {
  at::Tensor hu = torch::zeros({1, 128, 128});
  keep_circle(hu, 1, 50, kAirHu);
  EXPECT_EQ(hu[0][64][64 + 49].item<double>(), 0);
  EXPECT_EQ(hu[0][64][64 + 50].item<double>(), -1000);
  EXPECT_NEAR((hu == 0).sum().item<double>(), M_PI * 50 * 50, 60);
}

}  // namespace
}  // namespace lucivox
