#include <functional>

#include <fmt/format.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/image/formats/open.h>
#include <lucivox/program/simulation.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

void write_slice(const fs::path& path, const at::Tensor& hu_YX, double pixel_mm) {
  ImageInfo info;
  info.shape = {1, hu_YX.size(0), hu_YX.size(1)};
  info.spacing_mm = {pixel_mm, pixel_mm, 1};
  info.units = Units::HU;
  const auto sink = create(path, info);
  sink->write(whole(info), hu_YX.unsqueeze(0));
  sink->commit();
}

// Makes `count` pairs by `pair_of` and writes them.
void write_pairs(const fs::path& folder, double pixel_mm, int64_t count, const std::function<CtPair(int64_t)>& pair_of,
                 const Console& console, const StopToken& stop) {
  for (const char* part : {"HQ", "LQ", "truth"}) {
    if (fs::exists(folder / part)) {
      throw Error::misuse((folder / part).string() + " exists already", "choose another folder");
    }
    create_folder(folder / part);
  }
  Progress progress(console, "scanning " + folder.filename().string(), count, "slices");
  for (int64_t i = 0; i < count; ++i) {
    if (stop.stop_requested()) throw Error("stopped before the end", "the slices made so far are whole");
    const CtPair pair = pair_of(i);
    const std::string name = fmt::format("slice_{:04}.tif", i);
    write_slice(folder / "truth" / name, pair.truth, pixel_mm);
    write_slice(folder / "HQ" / name, pair.full_dose, pixel_mm);
    write_slice(folder / "LQ" / name, pair.low_dose, pixel_mm);
    progress.advance();
  }
}

}  // namespace

int64_t simulate_ct_files(const fs::path& folder, const CtSimulation& simulation, int64_t first, int64_t count,
                       const Console& console, const StopToken& stop) {
  const CtSimulation full = resolve(simulation);
  write_pairs(folder, full.pixel_mm, count, [&](int64_t i) { return simulate_ct(full, first + i); }, console, stop);
  return count;
}

int64_t simulate_ct_files_from(const fs::path& image, const fs::path& folder, const CtSimulation& simulation,
                            const Console& console, const StopToken& stop) {
  const auto source = open(image);
  const auto [slices, rows, columns] = source->info().shape;
  if (rows != columns) {
    throw Error(fmt::format("{} has slices of {}x{} pixels", image.string(), rows, columns),
                "a scan is simulated of square slices; crop them first");
  }
  CtSimulation full = simulation;
  full.slices = slices;
  full.size = rows;
  full.pixel_mm = source->info().spacing_mm[0];
  full = resolve(full);
  const auto pair_of = [&](int64_t i) {
    const at::Tensor hu = source->read(slice(source->info(), i)).squeeze(0);
    require_finite(hu, source->name());
    return simulate_ct(full, i, hu);
  };
  write_pairs(folder, full.pixel_mm, slices, pair_of, console, stop);
  return slices;
}

}  // namespace lucivox
