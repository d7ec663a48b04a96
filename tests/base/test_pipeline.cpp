#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <lucivox/base/pipeline.h>

namespace lucivox {
namespace {

TEST(Pipeline, WritesEveryPieceOnceInOrder) {
  std::vector<int> written;
  const int64_t done = run_pipeline(
      5, [](int64_t i) { return static_cast<int>(i); },
      [](int64_t i, int value) { return value * 10 + static_cast<int>(i); },
      [&](int64_t, int value) { written.push_back(value); }, {});
  EXPECT_EQ(done, 5);
  EXPECT_EQ(written, (std::vector<int>{0, 11, 22, 33, 44}));
}

TEST(Pipeline, StopsBetweenPieces) {
  std::atomic<bool> stop{false};
  std::vector<int64_t> written;
  const int64_t done = run_pipeline(
      9, [](int64_t i) { return i; },
      [&](int64_t i, int64_t value) {
        stop = i == 2;
        return value;
      },
      [&](int64_t i, int64_t) { written.push_back(i); }, StopToken(stop));
  EXPECT_EQ(done, 3);
  EXPECT_EQ(written, (std::vector<int64_t>{0, 1, 2}));
}

// From whichever of the three it comes; pieces before it were written.
TEST(Pipeline, PassesErrorsOn) {
  for (const int failing : {0, 1, 2}) {
    const auto fail = [failing](int part, int64_t i) {
      if (part == failing && i == 1) throw std::runtime_error("piece 1");
      return i;
    };
    EXPECT_THROW(run_pipeline(
                     3, [&](int64_t i) { return fail(0, i); }, [&](int64_t i, int64_t) { return fail(1, i); },
                     [&](int64_t i, int64_t) { fail(2, i); }, {}),
                 std::runtime_error);
  }
}

}  // namespace
}  // namespace lucivox
