#include <algorithm>
#include <numeric>

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

// The voxels of tile.input with those that are repeated where the volume ends.
at::Tensor with_beyond(at::Tensor values, const Tile& tile, const Tiling& tiling) {
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t whole = tile.output.size[axis] + 2 * tiling.halo[axis], read = tile.input.size[axis];
    if (tiling.beyond[axis] == Beyond::Nothing || read == whole) continue;
    const int64_t before = tiling.halo[axis] - (tile.output.begin[axis] - tile.input.begin[axis]);
    values = values.index_select(static_cast<int64_t>(axis), (at::arange(whole) - before).clamp(0, read - 1));
  }
  return values;
}

at::Tensor without_halo(at::Tensor values, const Tile& tile, const Tiling& tiling) {
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto dimension = static_cast<int64_t>(axis);
    if (values.size(dimension) == tile.output.size[axis]) continue;
    const int64_t before = tiling.beyond[axis] == Beyond::Repeated
                               ? tiling.halo[axis]
                               : tile.output.begin[axis] - tile.input.begin[axis];
    values = values.narrow(dimension, before, tile.output.size[axis]);
  }
  return values;
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

std::vector<int64_t> AllTiles::open(int64_t count) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void run_tiles(ImageSource& source, VoxelSink& sink, const Tiling& tiling, TileLedger& ledger,
               const TileFunction& compute, Reporter& reporter, const StopToken& stop) {
  const std::vector<Tile> all = tiles(source.info().shape, tiling);
  const std::vector<int64_t> open = ledger.open(std::ssize(all));
  const auto tile = [&](int64_t i) -> const Tile& {
    return all[static_cast<size_t>(open[static_cast<size_t>(i)])];
  };
  Progress progress(reporter, source.name(), std::ssize(open), "tiles");
  const int64_t written = run_pipeline(
      std::ssize(open), [&](int64_t i) { return source.read(tile(i).input); },
      [&](int64_t i, const at::Tensor& input) {
        at::Tensor values = without_halo(compute(with_beyond(input, tile(i), tiling)), tile(i), tiling);
        progress.advance();
        return values;
      },
      [&](int64_t i, const at::Tensor& values) {
        sink.write(tile(i).output, values);
        ledger.written(open[static_cast<size_t>(i)]);
      },
      stop);
  if (written < std::ssize(open))
    throw Error("stopped before the end", "nothing was written; start it again");
}

}  // namespace lucivox
