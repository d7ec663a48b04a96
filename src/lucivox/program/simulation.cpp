#include <algorithm>
#include <cmath>
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

// Slices that one call makes: the first and their number.
using PairsOf = std::function<CtPairs(int64_t, int64_t)>;

// Makes `count` pairs by `pairs_of` and writes them.
void write_pairs(const fs::path& folder, double pixel_mm, int64_t count, const PairsOf& pairs_of,
                 const Console& console, const StopToken& stop) {
  for (const char* part : {"HQ", "LQ", "truth"}) {
    if (fs::exists(folder / part)) {
      throw Error::misuse((folder / part).string() + " exists already", "choose another folder");
    }
    create_folder(folder / part);
  }
  Progress progress(console, "scanning " + folder.filename().string(), count, "slices");
  for (int64_t first = 0; first < count; first += kCtGroup) {
    if (stop.stop_requested()) throw Error("stopped before the end", "the slices made so far are whole");
    const int64_t together = std::min(kCtGroup, count - first);
    const CtPairs pairs = pairs_of(first, together);
    for (int64_t i = 0; i < together; ++i) {
      const std::string name = fmt::format("slice_{:04}.tif", first + i);
      write_slice(folder / "truth" / name, pairs.truth[i], pixel_mm);
      write_slice(folder / "HQ" / name, pairs.full_dose[i], pixel_mm);
      write_slice(folder / "LQ" / name, pairs.low_dose[i], pixel_mm);
      progress.advance();
    }
  }
}

// What the simulation leaves open follows from the image.
CtSimulation field_of(CtSimulation simulation, const ImageInfo& info) {
  const auto [slices, rows, columns] = info.shape;
  const double width_mm = std::max(info.spacing_mm[0] * static_cast<double>(columns),
                                   info.spacing_mm[1] * static_cast<double>(rows));
  simulation.slices = slices;
  if (simulation.size == 0 && simulation.pixel_mm > 0)
    simulation.size = static_cast<int64_t>(std::ceil(width_mm / simulation.pixel_mm));
  if (simulation.size == 0) simulation.size = std::max(rows, columns);
  if (simulation.pixel_mm == 0) simulation.pixel_mm = width_mm / static_cast<double>(simulation.size);
  return simulation;
}

}  // namespace

int64_t simulate_ct_files(const fs::path& folder, const CtSimulation& simulation, int64_t first,
                          int64_t count, const Console& console, const StopToken& stop) {
  const CtSimulation full = resolve(simulation);
  const auto pairs_of = [&](int64_t i, int64_t together) { return simulate_ct(full, first + i, together); };
  write_pairs(folder, full.pixel_mm, count, pairs_of, console, stop);
  return count;
}

int64_t simulate_ct_files_from(const fs::path& image, const fs::path& folder, const CtSimulation& simulation,
                               const Console& console, const StopToken& stop) {
  const auto source = open(image);
  const ImageInfo& info = source->info();
  const CtSimulation full = resolve(field_of(simulation, info));
  const auto pairs_of = [&](int64_t first, int64_t together) {
    at::Tensor hu = source->read({{first, 0, 0}, {together, info.shape[1], info.shape[2]}});
    require_finite(hu, source->name());
    if (info.padding) hu = hu.masked_fill(hu == *info.padding, kAirHu);
    return simulate_ct(full, first, hu, {info.spacing_mm[0], info.spacing_mm[1]});
  };
  write_pairs(folder, full.pixel_mm, full.slices, pairs_of, console, stop);
  return full.slices;
}

}  // namespace lucivox
