#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/open.h>
#include <lucivox/program/image_files.h>
#include <lucivox/program/simulation.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// Equally many slices: what is true, and what a good and a poor scan make of it.
struct Pairs {
  at::Tensor truth, good, poor;
  std::vector<std::string> poor_scans;  // how each poor slice was scanned; empty: as all others
};
Pairs pairs(const CtPairs& ct) {
  Pairs pairs{ct.truth, ct.full_dose, ct.low_dose, {}};
  for (const double fraction : ct.dose_fractions)
    pairs.poor_scans.push_back(fmt::format("Simulated CT at {:.4g} of the full dose", fraction));
  return pairs;
}
Pairs pairs(const TomoPairs& tomo) {
  return {tomo.truth, tomo.clean, tomo.noisy, {}};
}

// A simulation to be written.
struct Slices {
  int64_t count, together;  // together: so many cost little more than one
  ImageInfo info;           // of one slice
  std::function<Pairs(int64_t first, int64_t count)> make;
  std::function<void(int64_t first, const Pairs&)> also = {};  // what else is done with them
};

ImageInfo slice_info(int64_t size, double pixel_mm, double slice_mm, Units units) {
  ImageInfo info;
  info.shape = {1, size, size};
  info.spacing_mm = {pixel_mm, pixel_mm, slice_mm};
  info.spacing_known = true;
  info.units = units;
  return info;
}

ImageInfo slice_info(const CtSimulation& full) {
  return slice_info(full.size, full.pixel_mm, 1, Units::HU);
}
ImageInfo slice_info(const TomoSimulation& full) {
  return slice_info(full.size, full.pixel_mm(), full.pixel_mm(), Units::PerMm);
}

void write_slice(const fs::path& path, const at::Tensor& values_YX, const ImageInfo& info,
                 const std::string& origin = {}) {
  const auto sink = create(path, info, {origin});
  sink->write(whole(info), values_YX.unsqueeze(0));
  sink->commit();
}

void write_pairs(const fs::path& folder, const Slices& slices, Reporter& reporter, const StopToken& stop) {
  for (const char* part : {"HQ", "LQ", "truth"}) create_folder(folder / part);
  Progress progress(reporter, "scanning", slices.count, "slices");
  for (int64_t first = 0; first < slices.count; first += slices.together) {
    if (stop.stop_requested())
      throw Error("stopped before the end",
                  "start it again; slices that were made so far are replaced by --overwrite");
    const Pairs made = slices.make(first, std::min(slices.together, slices.count - first));
    for (int64_t i = 0; i < made.truth.size(0); ++i) {
      const std::string name = fmt::format("slice_{:04}.tif", first + i);
      write_slice(folder / "truth" / name, made.truth[i], slices.info);
      write_slice(folder / "HQ" / name, made.good[i], slices.info);
      write_slice(folder / "LQ" / name, made.poor[i], slices.info,
                  made.poor_scans.empty() ? "" : made.poor_scans[static_cast<size_t>(i)]);
      progress.advance();
    }
    if (slices.also) slices.also(first, made);
  }
}

// All slices in one file.
class Volume {
 public:
  Volume(const fs::path& path, const Slices& slices) : info_(slices.info) {
    info_.shape[0] = slices.count;
    sink_ = create(path, info_);
  }
  void write(int64_t first, const at::Tensor& values_SYX) {
    sink_->write({{first, 0, 0}, {values_SYX.size(0), info_.shape[1], info_.shape[2]}}, values_SYX);
  }
  void commit() { sink_->commit(); }

 private:
  ImageInfo info_;
  std::unique_ptr<ImageSink> sink_;
};

void write_pairs_and_hdf5(const fs::path& folder, Slices slices, Reporter& reporter, const StopToken& stop) {
  Volume clean(folder / "clean.h5", slices), noisy(folder / "noisy.h5", slices);
  slices.also = [&](int64_t first, const Pairs& made) {
    clean.write(first, made.good);
    noisy.write(first, made.poor);
  };
  write_pairs(folder, slices, reporter, stop);
  clean.commit();
  noisy.commit();
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

int64_t simulate_ct_files(const Output& out, const CtSimulation& simulation, int64_t first, int64_t count,
                          Reporter& reporter, const StopToken& stop) {
  const CtSimulation full = resolve(simulation);
  const auto make = [&](int64_t i, int64_t together) {
    return pairs(simulate_ct(full, first + i, together));
  };
  write_folder(out, [&](const fs::path& folder) {
    write_pairs(folder, {count, kCtGroup, slice_info(full), make}, reporter, stop);
  });
  return count;
}

int64_t simulate_ct_files_from(const fs::path& image, const Output& out, const CtSimulation& simulation,
                               Reporter& reporter, const StopToken& stop) {
  require_apart(out.path, files_of_image(image));
  note_strays(image, reporter);
  const auto source = open(image);
  const ImageInfo& info = source->info();
  if (!info.spacing_known)
    reporter.note(image.string() + " does not store the size of its pixels: 1 mm is assumed");
  const CtSimulation full = resolve(field_of(simulation, info));
  const auto make = [&](int64_t first, int64_t together) {
    at::Tensor hu = source->read({{first, 0, 0}, {together, info.shape[1], info.shape[2]}});
    require_finite(hu, source->name());
    if (info.padding) hu = hu.masked_fill(hu == *info.padding, kAirHu);
    return pairs(simulate_ct(full, first, hu, {info.spacing_mm[0], info.spacing_mm[1]}));
  };
  write_folder(out, [&](const fs::path& folder) {
    write_pairs(folder, {full.slices, kCtGroup, slice_info(full), make}, reporter, stop);
  });
  return full.slices;
}

int64_t simulate_tomo_files(const Output& out, const TomoSimulation& simulation, TomoFiles files,
                            Reporter& reporter, const StopToken& stop) {
  const TomoSimulation full = resolve(simulation);
  const auto make = [&](int64_t first, int64_t together) {
    return pairs(simulate_tomo(full, first, together));
  };
  const Slices slices{full.slices, kTomoGroup, slice_info(full), make};
  write_folder(out, [&](const fs::path& folder) {
    if (files == TomoFiles::Folders) return write_pairs(folder, slices, reporter, stop);
    write_pairs_and_hdf5(folder, slices, reporter, stop);
  });
  return full.slices;
}

}  // namespace lucivox
