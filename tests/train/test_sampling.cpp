#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include <lucivox/train/sampling.h>

namespace lucivox {
namespace {

SupervisedOptions options_with(int64_t batch, int64_t crop, bool augment) {
  SupervisedOptions options;
  options.batch = batch;
  options.crop = crop;
  options.augment = augment;
  return options;
}

std::vector<Sample> epoch_of(Sampling& sampling, int64_t epoch) {
  std::vector<Sample> all;
  for (int64_t step = 0; step < sampling.steps_per_epoch(); ++step) {
    for (const Sample& sample : sampling.step(epoch, step)) all.push_back(sample);
  }
  return all;
}

std::vector<int64_t> order(const std::vector<Sample>& samples) {
  std::vector<int64_t> slices;
  for (const Sample& sample : samples) slices.push_back(sample.slice);
  return slices;
}

TEST(Sampling, EveryEpochShowsAllSlicesInAnotherOrder) {
  Sampling sampling({12, {40, 48}}, options_with(4, 0, false), 16);
  EXPECT_EQ(sampling.steps_per_epoch(), 3);
  const std::vector<int64_t> first = order(epoch_of(sampling, 0)), second = order(epoch_of(sampling, 1));
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 12U);
  EXPECT_EQ(std::set(second.begin(), second.end()).size(), 12U);
  EXPECT_NE(first, second);
}

TEST(Sampling, DependsOnNothingButEpochAndStep) {
  Sampling straight({12, {40, 48}}, options_with(4, 16, true), 16), jumping = straight;
  epoch_of(straight, 0);
  const Sample a = straight.step(1, 2)[3], b = jumping.step(1, 2)[3];
  EXPECT_EQ(a.slice, b.slice);
  EXPECT_EQ(a.top, b.top);
  EXPECT_EQ(a.left, b.left);
  EXPECT_EQ(a.turns, b.turns);
  EXPECT_EQ(a.mirrored, b.mirrored);
}

TEST(Sampling, SquaresLieInsideAndReachEveryCorner) {
  Sampling sampling({400, {18, 17}}, options_with(1, 16, false), 16);
  std::set<std::pair<int64_t, int64_t>> places;
  for (const Sample& s : epoch_of(sampling, 0)) {
    ASSERT_TRUE(s.top >= 0 && s.top <= 2 && s.left >= 0 && s.left <= 1);
    EXPECT_EQ(s.turns, 0);
    EXPECT_FALSE(s.mirrored);
    places.emplace(s.top, s.left);
  }
  EXPECT_EQ(places.size(), 6U);
}

TEST(Sampling, WholeSlicesAreTheMiddleAtTheNetworksMultiple) {
  Sampling sampling({1, {50, 35}}, options_with(1, 0, false), 16);
  const Sample s = sampling.step(0, 0)[0];
  EXPECT_EQ(s.rows, 48);
  EXPECT_EQ(s.columns, 32);
  EXPECT_EQ(s.top, 1);
  EXPECT_EQ(s.left, 1);
}

// A square can be laid down in 8 ways, another rectangle in 4.
TEST(Sampling, AugmentsInAllWaysThatFit) {
  const auto ways = [](int64_t rows, int64_t columns) {
    Sampling sampling({200, {rows, columns}}, options_with(1, 0, true), 16);
    std::set<std::pair<int64_t, bool>> seen;
    for (const Sample& s : epoch_of(sampling, 0)) seen.emplace(s.turns, s.mirrored);
    return seen.size();
  };
  EXPECT_EQ(ways(32, 32), 8U);
  EXPECT_EQ(ways(32, 48), 4U);
}

}  // namespace
}  // namespace lucivox
