#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <lucivox/base/parallel.h>

namespace lucivox {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnce) {
  std::vector<std::atomic<int>> seen(1000);
  parallel_for(0, 1000, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

TEST(ParallelFor, RethrowsWhatABodyThrows) {
  EXPECT_THROW(parallel_for(0, 100,
                            [](int64_t i) {
                              if (i == 37) throw std::runtime_error("37");
                            }),
               std::runtime_error);
  parallel_for(5, 5, [](int64_t) { FAIL(); });
}

}  // namespace
}  // namespace lucivox
