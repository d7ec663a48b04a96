// Labels from what people mark: places, boxes, instances.
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/cells/components.h>
#include <lucivox/train/annotation.h>

namespace lucivox {
namespace {

int64_t count(const at::Tensor& labels, int64_t value) {
  return (labels == value).sum().item<int64_t>();
}

// Voxel by voxel, in micrometres, for voxels that are longer along z.
TEST(Annotation, BallsAreRoundInMicrometres) {
  const std::array<double, 3> spacing{2, 0.5, 0.5};
  const PointUm middle{10, 8, 8};
  const at::Tensor labels = labels_of_points({12, 40, 40}, spacing, {middle}, {{{0, 0, 0}, {12, 40, 40}}},
                                             {.radius_um = 4, .shell_um = 2});
  for (int64_t z = 0; z < 12; ++z) {
    for (int64_t y = 0; y < 40; y += 3) {
      for (int64_t x = 0; x < 40; ++x) {
        const double apart = std::hypot(2.0 * static_cast<double>(z) - 10, 0.5 * static_cast<double>(y) - 8,
                                        0.5 * static_cast<double>(x) - 8);
        const int64_t expected = apart <= 4 ? 1 : apart <= 6 ? kUnknown : 0;
        ASSERT_EQ(labels[z][y][x].item<int64_t>(), expected) << z << " " << y << " " << x;
      }
    }
  }
}

// Outside the boxes nothing is background, and a cell is one all the same.
TEST(Annotation, OnlyBoxesHaveBackground) {
  const at::Tensor labels = labels_of_points({20, 20, 20}, {1, 1, 1}, {{5, 5, 5}, {15, 15, 15}},
                                             {{{0, 0, 0}, {10, 20, 20}}}, {.radius_um = 2, .shell_um = 1});
  EXPECT_EQ(labels[15][15][15].item<int64_t>(), 1);
  EXPECT_EQ(count(labels.slice(0, 10), 0), 0);
  EXPECT_EQ(count(labels.slice(0, 0, 10), kUnknown) + count(labels.slice(0, 0, 10), 1) +
                count(labels.slice(0, 0, 10), 0),
            10 * 20 * 20);
  EXPECT_GT(count(labels.slice(0, 0, 10), 0), 3000);
}

// Balls that meet stay two cells, whatever touches.
TEST(Annotation, CellsThatTouchStayApart) {
  for (const std::array<double, 3>& spacing : {std::array<double, 3>{1, 1, 1}, {2.5, 1, 1}}) {
    const at::Tensor labels = labels_of_points({20, 30, 30}, spacing, {{18, 12, 10}, {19, 15, 16}}, {},
                                               {.radius_um = 5, .shell_um = 1});
    EXPECT_EQ(connected_components((labels == 1).to(at::kByte), Connectivity::Corners).found.size(), 2U);
  }
}

TEST(Annotation, InstancesGetSeams) {
  at::Tensor ids = at::zeros({6, 8, 8}, at::kShort);
  ids.slice(1, 0, 4).fill_(7);
  ids.slice(1, 4).fill_(300);
  const at::Tensor labels = labels_of_instances(ids);
  EXPECT_EQ(count(labels, kUnknown), 6 * 8);  // one plane
  EXPECT_EQ(connected_components((labels == 1).to(at::kByte), Connectivity::Corners).found.size(), 2U);
  // cells that do not touch have none; ids beyond a byte are cells, too
  ids.zero_();
  ids[0][0].fill_(256);
  ids[0][2].fill_(1);
  EXPECT_EQ(count(labels_of_instances(ids), kUnknown), 0);
  EXPECT_EQ(count(labels_of_instances(ids), 1), 16);
  // diagonally, in a volume of one slice
  at::Tensor corner = at::zeros({1, 2, 2}, at::kInt);
  corner[0][0][1] = 1;
  corner[0][1][0] = 2;
  EXPECT_EQ(count(labels_of_instances(corner), kUnknown), 1);
}

TEST(Annotation, ClassesWeighTheSame) {
  const at::Tensor labels = at::tensor({0, 0, 0, 0, 0, 0, 1, 1, 255, 255}, at::kByte).view({1, 2, 5});
  const std::vector<double> weights = class_weights({labels}, 2);
  EXPECT_DOUBLE_EQ(weights[0] * 6, weights[1] * 2);
  EXPECT_DOUBLE_EQ(weights[0] * 6 + weights[1] * 2, 8);
  EXPECT_THROW(class_weights({labels}, 3), Error);
  EXPECT_THROW(class_weights({at::full({1, 1, 3}, 2, at::kByte)}, 2), Error);
}

TEST(Annotation, RefusesWhatMakesNoSense) {
  const std::array<int64_t, 3> shape{4, 4, 4};
  const auto labels = [&](const std::vector<PointUm>& places, const std::vector<Region>& boxes,
                          const Balls& balls, std::array<double, 3> spacing = {1, 1, 1}) {
    return labels_of_points(shape, spacing, places, boxes, balls);
  };
  EXPECT_NO_THROW(labels({{0, 0, 3.9}}, {}, {}));
  EXPECT_THROW(labels({{0, 0, 4.1}}, {}, {}), Error);
  EXPECT_THROW(labels({{0, NAN, 1}}, {}, {}), Error);
  EXPECT_THROW(labels({}, {{{0, 0, 0}, {4, 4, 5}}}, {}), Error);
  EXPECT_THROW(labels({}, {{{-1, 0, 0}, {4, 4, 4}}}, {}), Error);
  EXPECT_THROW(labels({}, {{{0, 0, 1}, {4, 4, std::numeric_limits<int64_t>::max()}}}, {}), Error);
  EXPECT_THROW(labels({}, {}, {.radius_um = 0}), Error);
  EXPECT_THROW(labels({}, {}, {.radius_um = 1, .shell_um = -1}), Error);
  EXPECT_THROW(labels({}, {}, {}, {0, 1, 1}), Error);
  EXPECT_THROW(labels_of_instances(at::zeros({2, 2, 2})), Error);
}

}  // namespace
}  // namespace lucivox
