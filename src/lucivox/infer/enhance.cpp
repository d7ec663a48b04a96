#include <ATen/ATen.h>

#include <lucivox/infer/engine.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/infer/tiles.h>

namespace lucivox {
namespace {

// DDNet keeps about 1 kB a pixel while it runs: 4 GB for such a slice.
constexpr int64_t kWholeSlicePixels = int64_t{2048} * 2048;
constexpr int64_t kTile = 1024;
constexpr double kAirHu = -1000;  // what lies where a scanner did not look
// A pixel hardly depends on others farther away, although the receptive field reaches further; a multiple of
// 16, so that tiles are pooled on the slice's own grid.
constexpr int64_t kHalo = 128;

int64_t depth_of(const Model& model) {
  return model.weights.graph().channels(0);
}

Tiling tiling_for(const Model& model, const ImageInfo& info) {
  const auto [slices, rows, columns] = info.shape;
  const int64_t above = depth_of(model) / 2;
  const bool whole = rows * columns <= kWholeSlicePixels ||
                     model.intensity.kind == IntensityMapping::Kind::SliceMinMax ||
                     model.weights.graph().uses_batch_statistics();
  return whole ? Tiling{{1, rows, columns}, {above, 0, 0}} : Tiling{{1, kTile, kTile}, {above, kHalo, kHalo}};
}

// The slices of a tile of one slice with those that the stack lacks above and below.
at::Tensor with_neighbours(const at::Tensor& values, const Tile& tile, int64_t depth) {
  const int64_t above = depth / 2 - (tile.output.begin[0] - tile.input.begin[0]),
                below = depth - above - values.size(0);
  return at::cat({values.narrow(0, 0, 1).expand({above, -1, -1}), values,
                  values.narrow(0, values.size(0) - 1, 1).expand({below, -1, -1})});
}

// The rows and columns of tile.output from slices that have those of tile.input.
at::Tensor in_plane(const at::Tensor& values, const Tile& tile) {
  at::Tensor part = values;
  for (size_t axis = 1; axis < 3; ++axis) {
    part = part.narrow(static_cast<int64_t>(axis), tile.output.begin[axis] - tile.input.begin[axis],
                       tile.output.size[axis]);
  }
  return part;
}

at::Tensor enhanced_by(Engine& engine, const IntensityMapping& intensity, const at::Tensor& slices_CYX) {
  const AppliedMapping mapping = apply_mapping(intensity, slices_CYX.unsqueeze(0));
  const at::Tensor unit = mapping.to_unit(slices_CYX.unsqueeze(0)).squeeze(0);
  return mapping.from_unit(engine.run(unit).unsqueeze(0).unsqueeze(0)).squeeze(0).squeeze(0);
}

}  // namespace

at::Tensor enhance_slice(const Model& model, const at::Tensor& slices_CYX) {
  Engine engine(model.weights, model.border);
  return enhanced_by(engine, model.intensity, slices_CYX);
}

void enhance(const Model& model, ImageSource& source, ImageSink& sink, const Console& console,
             const StopToken& stop) {
  Engine engine(model.weights, model.border);
  const std::optional<double> padding = source.info().padding;
  const auto compute = [&](const at::Tensor& input, const Tile& tile) {
    require_finite(input, source.name());
    at::Tensor values = input;
    if (padding) values = values.masked_fill(input == *padding, kAirHu);
    const at::Tensor stack = with_neighbours(values, tile, depth_of(model)),
                     enhanced = in_plane(enhanced_by(engine, model.intensity, stack).unsqueeze(0), tile),
                     own = in_plane(input.narrow(0, tile.output.begin[0] - tile.input.begin[0], 1), tile);
    return padding ? enhanced.masked_fill(own == *padding, *padding) : enhanced;
  };
  run_tiles(source, sink, tiling_for(model, source.info()), compute, console, stop);
}

}  // namespace lucivox
