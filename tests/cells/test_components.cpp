// Connected components against scipy (tests/golden/make_components.py), whole and by tiles.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/cells/components.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

struct Case {
  std::string name;
  at::Tensor classes, labels;
  Connectivity connectivity;
};

std::vector<Case> cases() {
  static const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/components.safetensors");
  const auto tensor = [](const std::string& name) {
    for (const auto& [key, value] : file.tensors) {
      if (key == name) return value;
    }
    throw std::runtime_error("no " + name);
  };
  std::vector<Case> all;
  for (int i = 0; i < 50; ++i) {
    for (const int64_t neighbours : {6, 18, 26})
      all.push_back({fmt::format("{}, {} neighbours", i, neighbours), tensor(fmt::format("{}.classes", i)),
                     tensor(fmt::format("{}.{}", i, neighbours)).to(at::kLong), connectivity_of(neighbours)});
  }
  return all;
}

TEST(Components, AreThoseOfScipy) {
  for (const Case& one : cases()) {
    const Components found = connected_components(one.classes, one.connectivity);
    EXPECT_TRUE(at::equal(found.labels, one.labels)) << one.name;
    EXPECT_EQ(std::ssize(found.found), one.labels.max().item<int64_t>()) << one.name;
  }
}

// Tiles of any size, joined across all cuts.
at::Tensor by_tiles(const Case& one, const std::array<int64_t, 3>& size, std::vector<Component>& found) {
  const std::array<int64_t, 3> shape{one.classes.size(0), one.classes.size(1), one.classes.size(2)};
  ComponentUnion all;
  at::Tensor ids = at::zeros(shape, at::kLong);
  for (int64_t z = 0; z < shape[0]; z += size[0]) {
    for (int64_t y = 0; y < shape[1]; y += size[1]) {
      for (int64_t x = 0; x < shape[2]; x += size[2]) {
        const Region region{{z, y, x},
                            {std::min(size[0], shape[0] - z), std::min(size[1], shape[1] - y),
                             std::min(size[2], shape[2] - x)}};
        const auto part = [&](const at::Tensor& volume) {
          return volume.narrow(0, z, region.size[0])
              .narrow(1, y, region.size[1])
              .narrow(2, x, region.size[2]);
        };
        const Components of_tile = connected_components(part(one.classes), one.connectivity, region, shape);
        part(ids).copy_(at::where(of_tile.labels > 0, of_tile.labels + all.add(of_tile.found), 0));
      }
    }
  }
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (int64_t cut = size[static_cast<size_t>(axis)]; cut < ids.size(axis);
         cut += size[static_cast<size_t>(axis)])
      all.join(ids.select(axis, cut - 1), ids.select(axis, cut), one.connectivity);
  }
  const ComponentUnion::Result result = all.result();
  found = result.found;
  return at::tensor(result.label_of, at::kLong).index_select(0, ids.flatten()).view_as(ids);
}

TEST(Components, DoNotDependOnTiles) {
  for (const Case& one : cases()) {
    const Components whole = connected_components(one.classes, one.connectivity);
    for (const std::array<int64_t, 3>& size :
         {std::array<int64_t, 3>{1, 1, 1}, {2, 3, 4}, {5, 4, 3}, {1, 20, 2}}) {
      std::vector<Component> found;
      EXPECT_TRUE(at::equal(by_tiles(one, size, found), one.labels)) << one.name;
      ASSERT_EQ(found.size(), whole.found.size());
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].first, whole.found[i].first);
        EXPECT_EQ(found[i].voxels, whole.found[i].voxels);
        EXPECT_EQ(found[i].of_class, whole.found[i].of_class);
        EXPECT_EQ(found[i].sum, whole.found[i].sum);
        EXPECT_EQ(found[i].begin, whole.found[i].begin);
        EXPECT_EQ(found[i].end, whole.found[i].end);
      }
    }
  }
}

TEST(Components, KnowWhereTheyAre) {
  at::Tensor classes = at::zeros({5, 6, 7}, at::kByte);
  classes[1].slice(0, 2, 4).slice(1, 3, 6).fill_(2);  // 2 x 3 voxels
  const std::vector<Component> found = connected_components(classes, Connectivity::Faces).found;
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].voxels, 6);
  EXPECT_EQ(found[0].of_class, 2);
  EXPECT_EQ(found[0].first, (1 * 6 + 2) * 7 + 3);
  EXPECT_EQ(found[0].centroid(), (std::array<double, 3>{1, 2.5, 4}));
  EXPECT_EQ(found[0].begin, (std::array<int64_t, 3>{1, 2, 3}));
  EXPECT_EQ(found[0].end, (std::array<int64_t, 3>{2, 4, 6}));
}

TEST(Components, RefuseWhatAreNoClasses) {
  EXPECT_THROW(connected_components(at::zeros({2, 2, 2}), Connectivity::Faces), Error);
  EXPECT_THROW(connected_components(at::zeros({2, 2}, at::kByte), Connectivity::Faces), Error);
  EXPECT_THROW(connectivity_of(8), Error);
  ComponentUnion all;
  EXPECT_THROW(all.join(at::zeros({2, 2}, at::kLong), at::zeros({2, 3}, at::kLong), Connectivity::Faces),
               Error);
}

}  // namespace
}  // namespace lucivox
