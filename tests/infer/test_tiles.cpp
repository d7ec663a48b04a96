#include <gtest/gtest.h>
#include <tests/infer/memory_sink.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/infer/tiles.h>

namespace lucivox {
namespace {

const Console kSilent{true};

at::Tensor inner(const at::Tensor& input, const Tile& tile) {
  at::Tensor part = input;
  for (size_t axis = 0; axis < 3; ++axis) {
    part = part.narrow(static_cast<int64_t>(axis), tile.output.begin[axis] - tile.input.begin[axis],
                       tile.output.size[axis]);
  }
  return part;
}

// Whatever the tiling, doing nothing must give the volume back.
TEST(Tiles, IdentityGivesTheVolumeBack) {
  for (const std::array<int64_t, 3> shape : {std::array<int64_t, 3>{1, 1, 1}, {3, 7, 11}, {2, 16, 33}}) {
    const at::Tensor volume = torch::randn(at::IntArrayRef(shape));
    for (const Tiling& tiling :
         {Tiling{{1, 4, 4}, {0, 2, 3}}, Tiling{{2, 16, 5}, {1, 0, 9}}, Tiling{{9, 99, 99}, {1, 1, 1}}}) {
      const auto source = memory_source(volume);
      MemorySink sink(shape);
      run_tiles(*source, sink, tiling, inner, kSilent, {});
      EXPECT_TRUE(at::equal(sink.values, volume));
    }
  }
}

// A 3x3 mean needs one neighbour: with a halo of one the tiles' seams cannot be seen.
TEST(Tiles, HaloIsMadeOfRealNeighbours) {
  const at::Tensor volume = torch::randn({1, 20, 23});
  const at::Tensor kernel = torch::ones({1, 1, 3, 3}) / 9;
  const auto filter = [&](const at::Tensor& x) {
    return at::conv2d(x.unsqueeze(0), kernel, {}, 1, 1).squeeze(0);
  };
  const auto source = memory_source(volume);
  MemorySink sink({1, 20, 23});
  run_tiles(*source, sink, {{1, 8, 8}, {0, 1, 1}},
            [&](const at::Tensor& in, const Tile& tile) { return inner(filter(in), tile); }, kSilent, {});
  EXPECT_LT((sink.values - filter(volume)).abs().max().item<double>(), 1e-6);
}

TEST(Tiles, ErrorsAndStopRequestsComeThrough) {
  const auto source = memory_source(torch::zeros({1, 8, 8}));
  MemorySink sink({1, 8, 8});
  const auto fail = [](const at::Tensor&, const Tile&) -> at::Tensor { throw Error("from the engine"); };
  EXPECT_THROW(run_tiles(*source, sink, {{1, 4, 4}, {0, 0, 0}}, fail, kSilent, {}), Error);
  const std::atomic<bool> stop{true};
  EXPECT_THROW(run_tiles(*source, sink, {{1, 4, 4}, {0, 0, 0}}, inner, kSilent, StopToken(stop)), Error);
  EXPECT_THROW(tiles({1, 8, 8}, {{1, 0, 4}, {0, 0, 0}}), Error);
}

}  // namespace
}  // namespace lucivox
