#include <algorithm>

#include <ATen/ATen.h>

#include <lucivox/infer/engine.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/infer/tiles.h>

namespace lucivox {
namespace {

// DDNet keeps about 1 kB per pixel while it runs: 4 GB for such a slice.
constexpr int64_t kWholeSlicePixels = int64_t{2048} * 2048;
constexpr int64_t kTile = 1024;
constexpr double kAirHu = -1000;  // what lies where a scanner did not look
// A pixel hardly depends on others farther away, although the receptive field of a network may reach further.
constexpr int64_t kFarthest = 128;

int64_t depth_of(const Model& model) {
  return model.weights.graph().channels(0);
}

// So many that tiles are pooled on the slice's own grid.
int64_t halo_for(const Graph& graph) {
  const int64_t multiple = graph.size_multiple();
  const int64_t wanted = std::min<int64_t>(kFarthest, graph.receptive_radius());
  return (wanted + multiple - 1) / multiple * multiple;
}

// Slices one by one, with the adjacent ones that the network reads, the outermost again where there is no
// other.
Tiling tiling_for(const Model& model, const ImageInfo& info) {
  const auto [slices, rows, columns] = info.shape;
  const Graph& graph = model.weights.graph();
  const bool whole = rows * columns <= kWholeSlicePixels ||
                     model.intensity.kind == IntensityMapping::Kind::SliceMinMax ||
                     graph.uses_batch_statistics();
  const int64_t above = depth_of(model) / 2, around = whole ? 0 : halo_for(graph);
  return {{1, whole ? rows : kTile, whole ? columns : kTile},
          {above, around, around},
          {Beyond::Repeated, Beyond::Nothing, Beyond::Nothing}};
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

void enhance(const Model& model, ImageSource& source, VoxelSink& sink, Reporter& reporter,
             const StopToken& stop) {
  Engine engine(model.weights, model.border);
  const std::optional<double> padding = source.info().padding;
  const int64_t middle = depth_of(model) / 2;
  const auto compute = [&](const at::Tensor& input) {
    require_finite(input, source.name());
    const at::Tensor values = padding ? input.masked_fill(input == *padding, kAirHu) : input;
    const at::Tensor enhanced = enhanced_by(engine, model.intensity, values).unsqueeze(0);
    return padding ? enhanced.masked_fill(input.narrow(0, middle, 1) == *padding, *padding) : enhanced;
  };
  AllTiles every;
  run_tiles(source, sink, tiling_for(model, source.info()), every, compute, reporter, stop);
}

}  // namespace lucivox
