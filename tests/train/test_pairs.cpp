#include <gtest/gtest.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/train/pairs.h>

namespace lucivox {
namespace {

VolumePair pair_of(const at::Tensor& low, const at::Tensor& full, const std::string& name = "low") {
  return {[=] { return memory_source(low, {}, name); }, [=] { return memory_source(full, {}, "full"); }};
}

TEST(PairedSlices, CountThroughTheVolumes) {
  const at::Tensor a = torch::arange(24, at::kFloat).view({2, 3, 4}),
                   b = torch::arange(20, at::kFloat).view({1, 4, 5});
  const auto pairs = paired_slices({pair_of(a, a + 1), pair_of(b, b + 1)});
  EXPECT_EQ(pairs->count(), 3);
  EXPECT_TRUE(at::equal(pairs->read(1).low, a[1]));
  EXPECT_TRUE(at::equal(pairs->read(2).full, b[0] + 1));
  EXPECT_EQ(pairs->shape(0), (std::array<int64_t, 2>{3, 4}));
  EXPECT_EQ(pairs->shape(2), (std::array<int64_t, 2>{4, 5}));
}

// A volume is a stack; slices of one size in files of their own are one, too.
TEST(PairedSlices, LieOnEachOtherInStacks) {
  const at::Tensor volume = torch::zeros({3, 4, 5}), slice = torch::zeros({1, 4, 5}),
                   other = torch::zeros({1, 6, 5});
  const auto pairs = paired_slices(
      {pair_of(volume, volume), pair_of(slice, slice), pair_of(slice, slice), pair_of(other, other)});
  for (const auto& [index, first, count] :
       std::vector<std::array<int64_t, 3>>{{0, 0, 3}, {2, 0, 3}, {3, 3, 2}, {4, 3, 2}, {5, 5, 1}}) {
    EXPECT_EQ(pairs->stack_of(index).first, first) << index;
    EXPECT_EQ(pairs->stack_of(index).count, count) << index;
  }
}

TEST(PairedSlices, RefuseUnequalPairsNanAndNothing) {
  const at::Tensor a = torch::zeros({2, 16, 16});
  EXPECT_THROW(paired_slices({pair_of(a, torch::zeros({3, 16, 16}))}), Error);
  EXPECT_THROW(paired_slices({}), Error);
  EXPECT_THROW(paired_slices({pair_of(a, torch::full({2, 16, 16}, NAN))})->read(0), Error);
}

TEST(PairedSlices, FingerprintKnowsNamesAndSizes) {
  const at::Tensor a = torch::zeros({2, 16, 16}), b = torch::zeros({2, 16, 32});
  const std::string one = fingerprint(*paired_slices({pair_of(a, a)}));
  EXPECT_EQ(fingerprint(*paired_slices({pair_of(a, a)})), one);
  EXPECT_NE(fingerprint(*paired_slices({pair_of(b, b)})), one);
  EXPECT_NE(fingerprint(*paired_slices({pair_of(a, a, "other")})), one);
  EXPECT_NE(fingerprint(*paired_slices({pair_of(a, a), pair_of(a, a)})), one);
}

}  // namespace
}  // namespace lucivox
