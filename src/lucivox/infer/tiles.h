#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/progress.h>
#include <lucivox/base/stop.h>
#include <lucivox/image/image.h>

namespace lucivox {

// How a volume is cut: tiles of `size` voxels, each computed from `halo` more on every side. Z, Y, X.
struct Tiling {
  std::array<int64_t, 3> size{1, 1, 1};
  std::array<int64_t, 3> halo{0, 0, 0};
};

// `input` is `output` with its halo: real neighbours, as far as the volume has them.
struct Tile {
  Region input, output;
};

// The tiles that cover a volume of `shape` once, in the order Z, Y, X. Throws Error (misuse) for a size below
// 1 or a negative halo.
std::vector<Tile> tiles(const std::array<int64_t, 3>& shape, const Tiling& tiling);

// Computes one tile: values of tile.input in, values of tile.output out, both float32 [z, y, x].
using TileFunction = std::function<at::Tensor(const at::Tensor& input, const Tile& tile)>;

// Runs `compute` on every tile of the source and writes the results to the sink, the next tile being read
// and the last one written while one is computed (base/pipeline.h). The sink is not committed. Throws what
// source, sink and `compute` throw, and Error when stopped.
void run_tiles(ImageSource& source, ImageSink& sink, const Tiling& tiling, const TileFunction& compute,
               const Console& console, const StopToken& stop);

}  // namespace lucivox
