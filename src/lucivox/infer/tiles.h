#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/image/image.h>

namespace lucivox {

// What a tile reads where the volume ends.
enum class Beyond {
  Nothing,   // its halo is smaller there
  Repeated,  // the outermost voxels again, so that all halos are whole
};

// How a volume is cut: tiles of `size` voxels, each computed from `halo` more on every side, real neighbours
// as far as the volume has them. Z, Y, X.
struct Tiling {
  std::array<int64_t, 3> size{1, 1, 1};
  std::array<int64_t, 3> halo{0, 0, 0};
  std::array<Beyond, 3> beyond{Beyond::Nothing, Beyond::Nothing, Beyond::Nothing};
};

// `input`: `output` with its halo, as far as the volume reaches.
struct Tile {
  Region input, output;
};

// The tiles that cover a volume of `shape` once, in the order Z, Y, X. Throws Error (misuse) for a size below
// 1 or a negative halo.
std::vector<Tile> tiles(const std::array<int64_t, 3>& shape, const Tiling& tiling);

// Computes one tile, float32 [z, y, x]: along each axis as much as it is given, of which the halo is cut
// away, or what is left without the halo.
using TileFunction = std::function<at::Tensor(const at::Tensor& input)>;

// Which tiles, by their number in tiles(), are still to be computed, and which are written. One that keeps
// them lets a run be resumed, or be shared by several processes.
class TileLedger {
 public:
  virtual ~TileLedger() = default;
  virtual std::vector<int64_t> open(int64_t count) = 0;
  // From the thread that writes, after the tile is in the sink.
  virtual void written(int64_t tile) = 0;
};

// Of a run that computes every tile once.
class AllTiles final : public TileLedger {
 public:
  std::vector<int64_t> open(int64_t count) override;
  void written(int64_t) override {}
};

// Runs `compute` on the open tiles of the source and writes the results to the sink, the next tile being read
// and the last one written while one is computed (base/pipeline.h). Throws what source, sink and `compute`
// throw, and Error when stopped.
void run_tiles(ImageSource& source, VoxelSink& sink, const Tiling& tiling, TileLedger& ledger,
               const TileFunction& compute, Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
