// Which parts of annotated volumes are learnt from.
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/train/annotation.h>
#include <lucivox/train/patches.h>

namespace lucivox {
namespace {

// A small cell in the first volume, some background in the second, all else unknown.
std::vector<at::Tensor> two_volumes() {
  std::vector<at::Tensor> labels{at::full({12, 40, 40}, kUnknown, at::kByte),
                                 at::full({4, 30, 50}, kUnknown, at::kByte)};
  labels[0][2].slice(0, 5, 8).slice(1, 30, 33).fill_(1);
  labels[1][1].slice(0, 20, 25).slice(1, 40, 50).fill_(0);
  return labels;
}
const std::vector<std::array<double, 3>> kSpacings{{1, 1, 1}, {2, 0.5, 0.5}};

// Every patch lies in its volume, has the wanted size or the volume's, and contains something that is known.
TEST(Patches, AreDrawnAroundWhatIsKnown) {
  const std::vector<at::Tensor> labels = two_volumes();
  const PatchSampling sampling(labels, kSpacings, {.patch = 10, .background = 0.25}, 1);
  int64_t of_background = 0;
  constexpr int64_t kSamples = 400;
  for (int64_t i = 0; i < kSamples; ++i) {
    const Patch patch = sampling.sample(i);
    const at::Tensor& volume = labels[static_cast<size_t>(patch.volume)];
    for (int64_t axis = 0; axis < 3; ++axis) {
      const auto a = static_cast<size_t>(axis);
      EXPECT_EQ(patch.region.size[a], std::min<int64_t>(10, volume.size(axis)));
      EXPECT_GE(patch.region.begin[a], 0);
      EXPECT_LE(patch.region.begin[a] + patch.region.size[a], volume.size(axis));
    }
    const at::Tensor cut = cut_labels(volume, patch);
    EXPECT_GT((cut != kUnknown).sum().item<int64_t>(), 0);
    of_background += patch.volume;
  }
  // a quarter, within four standard deviations of a binomial distribution
  EXPECT_NEAR(static_cast<double>(of_background), 0.25 * kSamples, 4 * std::sqrt(0.25 * 0.75 * kSamples));
}

// A volume is turned only where its voxels are square, and then in all ways.
TEST(Patches, KeepTheShapeOfVoxels) {
  const PatchSampling sampling(two_volumes(), kSpacings, {.patch = 4, .background = 0.5}, 2);
  std::array<std::array<int64_t, 4>, 3> turns_of_cubes{}, turns_of_bricks{};
  for (int64_t i = 0; i < 400; ++i) {
    const Patch patch = sampling.sample(i);
    for (size_t plane = 0; plane < 3; ++plane)
      ++(patch.volume == 0 ? turns_of_cubes
                           : turns_of_bricks)[plane][static_cast<size_t>(patch.turns[plane])];
  }
  for (size_t turns = 0; turns < 4; ++turns) {
    for (size_t plane = 0; plane < 3; ++plane) EXPECT_GT(turns_of_cubes[plane][turns], 20);
    EXPECT_GT(turns_of_bricks[0][turns], 20);
    EXPECT_EQ(turns_of_bricks[1][turns] > 0, turns == 0);
    EXPECT_EQ(turns_of_bricks[2][turns] > 0, turns == 0);
  }
}

// Images and labels are turned alike, and only images are changed in brightness.
TEST(Patches, TurnImagesAndLabelsAlike) {
  const std::vector<at::Tensor> labels{at::randint(0, 2, {9, 9, 9}, at::kByte)};
  const at::Tensor image = labels[0].to(at::kFloat);
  const PatchSampling sampling(labels, {{1, 1, 1}}, {.patch = 6}, 3);
  for (int64_t i = 0; i < 50; ++i) {
    const Patch patch = sampling.sample(i);
    const at::Tensor expected = cut_labels(labels[0], patch).to(at::kFloat) * patch.gain + patch.shift;
    EXPECT_LT((cut_image(image, patch) - expected).abs().max().item<double>(), 1e-6);
  }
}

TEST(Patches, AreTheSameForOneSeed) {
  const PatchSampling a(two_volumes(), kSpacings, {.patch = 8}, 5),
      b(two_volumes(), kSpacings, {.patch = 8}, 5), other(two_volumes(), kSpacings, {.patch = 8}, 6);
  int64_t different = 0;
  for (int64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(a.sample(i).region.begin, b.sample(i).region.begin);
    EXPECT_EQ(a.sample(i).gain, b.sample(i).gain);
    different += a.sample(i).gain != other.sample(i).gain ? 1 : 0;
  }
  EXPECT_EQ(different, 20);
}

TEST(Patches, RefuseWhatMakesNoSense) {
  EXPECT_THROW(check(PatchOptions{.patch = 0}), Error);
  EXPECT_THROW(check(PatchOptions{.background = 1.5}), Error);
  EXPECT_THROW(check(PatchOptions{.background = NAN}), Error);
  EXPECT_THROW(PatchSampling({at::full({2, 2, 2}, kUnknown, at::kByte)}, {{1, 1, 1}}, {}, 1), Error);
}

}  // namespace
}  // namespace lucivox
