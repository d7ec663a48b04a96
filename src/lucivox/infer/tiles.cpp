#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/pipeline.h>
#include <lucivox/infer/tiles.h>

namespace lucivox {
namespace {

// The tile whose output begins at `begin`.
Tile tile_at(const std::array<int64_t, 3>& begin, const std::array<int64_t, 3>& shape, const Tiling& tiling) {
  Tile tile;
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t size = std::min(tiling.size[axis], shape[axis] - begin[axis]);
    const int64_t first = std::max<int64_t>(begin[axis] - tiling.halo[axis], 0);
    const int64_t last = std::min(begin[axis] + size + tiling.halo[axis], shape[axis]);
    tile.output.begin[axis] = begin[axis];
    tile.output.size[axis] = size;
    tile.input.begin[axis] = first;
    tile.input.size[axis] = last - first;
  }
  return tile;
}

}  // namespace

std::vector<Tile> tiles(const std::array<int64_t, 3>& shape, const Tiling& tiling) {
  for (size_t axis = 0; axis < 3; ++axis) {
    if (tiling.size[axis] < 1 || tiling.halo[axis] < 0) {
      throw Error::misuse(
          fmt::format("tiles of {} voxels with a halo of {}", tiling.size[axis], tiling.halo[axis]),
          "a tile needs at least one voxel, a halo at least none");
    }
  }
  std::vector<Tile> all;
  for (int64_t z = 0; z < shape[0]; z += tiling.size[0]) {
    for (int64_t y = 0; y < shape[1]; y += tiling.size[1]) {
      for (int64_t x = 0; x < shape[2]; x += tiling.size[2]) all.push_back(tile_at({z, y, x}, shape, tiling));
    }
  }
  return all;
}

void run_tiles(ImageSource& source, ImageSink& sink, const Tiling& tiling, const TileFunction& compute,
               const Console& console, const StopToken& stop) {
  const std::vector<Tile> all = tiles(source.info().shape, tiling);
  const auto tile = [&all](int64_t i) -> const Tile& { return all[static_cast<size_t>(i)]; };
  Progress progress(console, source.name(), std::ssize(all), "tiles");
  const int64_t written = run_pipeline(
      std::ssize(all), [&](int64_t i) { return source.read(tile(i).input); },
      [&](int64_t i, const at::Tensor& input) {
        at::Tensor values = compute(input, tile(i));
        progress.advance();
        return values;
      },
      [&](int64_t i, const at::Tensor& values) { sink.write(tile(i).output, values); }, stop);
  if (written < std::ssize(all)) throw Error("stopped before the end", "nothing was written; start it again");
}

}  // namespace lucivox
