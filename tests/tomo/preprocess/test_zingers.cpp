#include <cmath>

#include <gtest/gtest.h>
#include <tests/tomo/preprocess/messages.h>
#include <torch/types.h>

#include <lucivox/tomo/preprocess/zingers.h>

namespace lucivox {
namespace {

// libtorch's median over windows of the replicated image.
at::Tensor plain_removal(const at::Tensor& views, double threshold, int64_t size) {
  const int64_t margin = size / 2;
  const at::Tensor padded = at::replication_pad2d(views, {margin, margin, margin, margin});
  const at::Tensor windows = padded.unfold(1, size, 1).unfold(2, size, 1).flatten(3);
  const at::Tensor medians = std::get<0>(windows.median(3));
  return at::where(views - medians > threshold, medians, views);
}

TEST(RemoveZingers, IsTheMedianWhereThresholdIsExceeded) {
  torch::manual_seed(1);
  for (const int64_t size : {3, 5, 7}) {
    for (const auto& [height, width] : {std::pair{1, 1}, {1, 9}, {2, 3}, {7, 33}}) {
      const at::Tensor views = torch::rand({3, height, width});
      EXPECT_TRUE(at::equal(remove_zingers(views, 0.2, size), plain_removal(views, 0.2, size)))
          << size << ": " << height << " x " << width;
    }
  }
}

// A speck of four pixels in a view of one brightness: the median does not see it. What is dark is no zinger.
TEST(RemoveZingers, TakesBrightSpecksAlone) {
  at::Tensor views = torch::full({2, 6, 8}, 0.5F);
  views[1][0][0] = 0.1F;
  views[1][5][7] = 0.59F;
  at::Tensor hit = views.clone();
  hit[1].narrow(0, 2, 2).narrow(1, 4, 2).fill_(3);
  EXPECT_TRUE(at::equal(remove_zingers(hit, 0.1), views));
}

TEST(RemoveZingers, RefusesWhatDoesNotFit) {
  const at::Tensor views = torch::ones({1, 4, 4});
  EXPECT_THROW(remove_zingers(views, 0), Error);
  EXPECT_THROW(remove_zingers(views, NAN), Error);
  EXPECT_THROW(remove_zingers(views, 0.1, 4), Error);
  EXPECT_THROW(remove_zingers(views, 0.1, 1), Error);
  EXPECT_THROW(remove_zingers(views[0], 0.1), Error);
  EXPECT_TRUE(says(message_of([&] { remove_zingers(views / 0, 0.1); }), "16 of 16 values"));
}

}  // namespace
}  // namespace lucivox
