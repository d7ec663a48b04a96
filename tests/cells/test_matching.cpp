#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/cells/matching.h>

namespace lucivox {
namespace {

TEST(Matching, TakesTheNearestPairFirst) {
  const std::vector<PointUm> truth{{0, 0, 0}, {0, 0, 10}}, found{{0, 0, 4}, {0, 0, 1}, {0, 0, 30}};
  const std::vector<Match> matches = match(found, truth, 6);
  ASSERT_EQ(matches.size(), 2U);
  EXPECT_EQ(matches[0].found, 1);
  EXPECT_EQ(matches[0].truth, 0);
  EXPECT_EQ(matches[0].distance, 1);
  EXPECT_EQ(matches[1].found, 0);
  EXPECT_EQ(matches[1].truth, 1);
}

// One truth is matched once, however many lie near it; at exactly the distance it still is.
TEST(Matching, IsOneToOne) {
  const Detection near = detection({{0, 0, 1}, {0, 1, 0}, {3, 0, 0}}, {{0, 0, 0}}, 3);
  EXPECT_EQ(near.matched, 1);
  EXPECT_DOUBLE_EQ(near.precision(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(near.recall(), 1);
  EXPECT_DOUBLE_EQ(near.f1(), 0.5);
  EXPECT_DOUBLE_EQ(near.count_error(), 2);
  EXPECT_EQ(match({{3, 0, 0}}, {{0, 0, 0}}, 3).size(), 1U);
  EXPECT_EQ(match({{3.01, 0, 0}}, {{0, 0, 0}}, 3).size(), 0U);
}

TEST(Matching, JudgesNothing) {
  EXPECT_EQ(detection({}, {}, 2).f1(), 1);
  EXPECT_EQ(detection({{0, 0, 0}}, {}, 2).f1(), 0);
  EXPECT_EQ(detection({}, {{0, 0, 0}}, 2).f1(), 0);
  EXPECT_TRUE(std::isnan(detection({}, {}, 2).count_error()));
  EXPECT_THROW(match({}, {}, 0), Error);
}

// Every pair looked at, not only those in neighbouring boxes.
TEST(Matching, MissesNoPair) {
  const at::Tensor places = torch::rand({2, 120, 3}, at::kDouble) * 40 - 20;
  const auto list = [&](int64_t which) {
    std::vector<PointUm> all;
    for (int64_t i = 0; i < places.size(1); ++i) {
      const auto at = [&](int64_t axis) { return places[which][i][axis].item<double>(); };
      all.push_back({at(0), at(1), at(2)});
    }
    return all;
  };
  const std::vector<PointUm> found = list(0), truth = list(1);
  // greedily, by a table of all distances
  at::Tensor apart = at::cdist(places[0], places[1]);
  int64_t matched = 0;
  while (apart.min().item<double>() <= 5) {
    const int64_t nearest = apart.argmin().item<int64_t>();
    apart[nearest / apart.size(1)].fill_(1e9);
    apart.select(1, nearest % apart.size(1)).fill_(1e9);
    ++matched;
  }
  EXPECT_GT(matched, 10);
  EXPECT_EQ(detection(found, truth, 5).matched, matched);
}

}  // namespace
}  // namespace lucivox
