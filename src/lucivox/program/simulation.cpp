#include <lucivox/program/simulation.h>

#include <fmt/format.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/image/formats/open.h>

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

}  // namespace

void simulate_ct_files(const fs::path& folder, const CtSimulation& simulation, int64_t first, int64_t count,
                       const Console& console, const StopToken& stop) {
  const CtSimulation full = resolve(simulation);
  for (const char* part : {"HQ", "LQ", "truth"}) {
    if (fs::exists(folder / part)) throw Error::misuse((folder / part).string() + " exists already", "choose another folder");
    create_folder(folder / part);
  }
  Progress progress(console, "scanning " + folder.filename().string(), count, "slices");
  for (int64_t i = 0; i < count; ++i) {
    if (stop.stop_requested()) throw Error("stopped before the end", "the slices made so far are whole");
    const CtPair pair = simulate_ct(full, first + i);
    const std::string name = fmt::format("slice_{:04}.tif", i);
    write_slice(folder / "truth" / name, pair.truth, full.pixel_mm);
    write_slice(folder / "HQ" / name, pair.full_dose, full.pixel_mm);
    write_slice(folder / "LQ" / name, pair.low_dose, full.pixel_mm);
    progress.advance();
  }
}

}  // namespace lucivox
