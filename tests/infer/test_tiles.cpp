#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <tests/infer/memory_sink.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/infer/tiles.h>

namespace lucivox {
namespace {

Reporter& kSilent = silence();

// As it is given, and without its halo.
at::Tensor same(const at::Tensor& input) {
  return input;
}

// Whatever the tiling, doing nothing must give the volume back.
TEST(Tiles, IdentityGivesTheVolumeBack) {
  for (const std::array<int64_t, 3> shape : {std::array<int64_t, 3>{1, 1, 1}, {3, 7, 11}, {2, 16, 33}}) {
    const at::Tensor volume = torch::randn(at::IntArrayRef(shape));
    for (const Tiling& tiling :
         {Tiling{{1, 4, 4}, {0, 2, 3}}, Tiling{{2, 16, 5}, {1, 0, 9}}, Tiling{{9, 99, 99}, {1, 1, 1}}}) {
      const auto source = memory_source(volume);
      MemorySink sink(shape);
      AllTiles every;
      run_tiles(*source, sink, tiling, every, same, kSilent, {});
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
  AllTiles every;
  run_tiles(*source, sink, {{1, 8, 8}, {0, 1, 1}}, every, filter, kSilent, {});
  EXPECT_LT((sink.values - filter(volume)).abs().max().item<double>(), 1e-6);
}

// Along an axis that repeats its outermost voxels every tile gets a whole halo, and what leaves it out itself
// is written as it is.
TEST(Tiles, RepeatTheOutermostVoxelsWhereAsked) {
  const at::Tensor volume = torch::randn({4, 5, 6});
  const auto source = memory_source(volume);
  MemorySink sink({4, 5, 6});
  AllTiles every;
  const Tiling tiling{{1, 5, 6}, {2, 0, 0}, {Beyond::Repeated, Beyond::Nothing, Beyond::Nothing}};
  const auto mean = [](const at::Tensor& input) {
    EXPECT_EQ(input.size(0), 5);
    return input.mean(0, true);
  };
  run_tiles(*source, sink, tiling, every, mean, kSilent, {});
  const auto at = [&](int64_t z) { return volume[std::clamp<int64_t>(z, 0, 3)]; };
  for (int64_t z = 0; z < 4; ++z) {
    const at::Tensor truth = (at(z - 2) + at(z - 1) + at(z) + at(z + 1) + at(z + 2)) / 5;
    EXPECT_LT((sink.values[z] - truth).abs().max().item<double>(), 1e-6) << z;
  }
}

// Keeps what is written, as a file would.
class Kept final : public TileLedger {
 public:
  std::vector<int64_t> open(int64_t count) override {
    std::vector<int64_t> left;
    for (int64_t tile = 0; tile < count; ++tile) {
      if (done.count(tile) == 0) left.push_back(tile);
    }
    return left;
  }
  void written(int64_t tile) override { done.insert(tile); }

  std::set<int64_t> done;
};

TEST(Tiles, OfAnInterruptedRunAreComputedOnce) {
  const at::Tensor volume = torch::randn({1, 12, 12});
  const auto source = memory_source(volume);
  MemorySink sink({1, 12, 12});
  const Tiling tiling{{1, 4, 4}, {0, 1, 1}};
  Kept ledger;
  int computed = 0;
  const auto until = [&](int last) {
    return [&computed, last](const at::Tensor& input) {
      if (computed == last) throw Error("killed");
      ++computed;
      return input;
    };
  };
  EXPECT_THROW(run_tiles(*source, sink, tiling, ledger, until(4), kSilent, {}), Error);
  const auto written = static_cast<int>(ledger.done.size());
  EXPECT_GE(written, 3);  // the last one may not have been written
  computed = 0;
  run_tiles(*source, sink, tiling, ledger, until(9), kSilent, {});
  EXPECT_EQ(computed, 9 - written);
  EXPECT_EQ(ledger.done.size(), 9u);
  EXPECT_TRUE(at::equal(sink.values, volume));
}

TEST(Tiles, ErrorsAndStopRequestsComeThrough) {
  const auto source = memory_source(torch::zeros({1, 8, 8}));
  MemorySink sink({1, 8, 8});
  const auto fail = [](const at::Tensor&) -> at::Tensor { throw Error("from the engine"); };
  AllTiles every;
  EXPECT_THROW(run_tiles(*source, sink, {{1, 4, 4}, {0, 0, 0}}, every, fail, kSilent, {}), Error);
  const std::atomic<bool> stop{true};
  EXPECT_THROW(run_tiles(*source, sink, {{1, 4, 4}, {0, 0, 0}}, every, same, kSilent, StopToken(stop)),
               Error);
  EXPECT_THROW(tiles({1, 8, 8}, {{1, 0, 4}, {0, 0, 0}}), Error);
}

}  // namespace
}  // namespace lucivox
