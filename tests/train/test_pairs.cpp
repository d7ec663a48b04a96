#include <algorithm>

#include <gtest/gtest.h>
#include <torch/types.h>

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

std::vector<double> values_of(PairedSlices& slices) {
  std::vector<double> values;
  for (int64_t i = 0; i < slices.count(); ++i) values.push_back(slices.read(i).low[0][0].item<double>());
  return values;
}

std::shared_ptr<PairedSlices> stack_of(int64_t slices) {
  const at::Tensor volume =
      torch::arange(slices, at::kFloat).view({-1, 1, 1}).expand({-1, 4, 4}).contiguous();
  return paired_slices({pair_of(volume, volume)});
}

TEST(HoldOut, TakesEveryTenthSliceAndLeavesTheRest) {
  const Division division = hold_out(stack_of(40), 1);
  EXPECT_EQ(values_of(*division.validation), (std::vector<double>{5, 15, 25, 35}));
  EXPECT_EQ(division.training->count(), 36);
  const std::vector<double> rest = values_of(*division.training);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), 15), 0);
}

TEST(HoldOut, TakesAtLeastTwoAndNoneOfTooFew) {
  EXPECT_EQ(hold_out(stack_of(6), 1).validation->count(), 2);
  EXPECT_EQ(hold_out(stack_of(4), 1).validation, nullptr);
  EXPECT_EQ(hold_out(stack_of(4), 1).training->count(), 4);
}

// Of two stacks the longer one gives its end, and keeps enough to read adjacent slices in.
TEST(HoldOut, LeavesEveryStackLongEnough) {
  const at::Tensor long_one = torch::zeros({60, 4, 4}), short_one = torch::ones({8, 6, 6});
  const Division division =
      hold_out(paired_slices({pair_of(long_one, long_one), pair_of(short_one, short_one)}), 3);
  EXPECT_EQ(values_of(*division.validation), std::vector<double>(6, 0));
  EXPECT_EQ(division.training->stack_of(0).count, 54);
  EXPECT_EQ(division.training->stack_of(54).count, 8);
  const at::Tensor three = torch::zeros({4, 4, 4});
  EXPECT_EQ(hold_out(paired_slices({pair_of(three, three),
                                    pair_of(short_one.narrow(0, 0, 4), short_one.narrow(0, 0, 4))}),
                     3)
                .validation,
            nullptr);
}

// What is read together stays together: the end of one stack, or whole ones of several.
TEST(HoldOut, KeepsAdjacentSlicesTogether) {
  const Division end = hold_out(stack_of(30), 3);
  EXPECT_EQ(values_of(*end.validation), (std::vector<double>{27, 28, 29}));
  EXPECT_EQ(end.validation->stack_of(1).count, 3);
  EXPECT_EQ(end.training->stack_of(0).count, 27);
  std::vector<VolumePair> patients;
  for (int64_t patient = 0; patient < 5; ++patient) {
    const at::Tensor volume = torch::full({3, 4, 4}, static_cast<double>(patient), at::kFloat);
    patients.push_back(pair_of(volume, volume));
  }
  const Division whole = hold_out(paired_slices(patients), 1);
  EXPECT_EQ(values_of(*whole.validation), (std::vector<double>{2, 2, 2}));
  EXPECT_EQ(whole.training->stack_of(11).count, 3);
}

}  // namespace
}  // namespace lucivox
