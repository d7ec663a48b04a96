#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/image/projections.h>

namespace lucivox {
namespace {

void require_angles(const std::vector<double>& angles_rad, int64_t views, const std::string& scan) {
  if (static_cast<int64_t>(angles_rad.size()) != views) {
    throw Error(
        fmt::format("{} has {} projections, but {} projection angles", scan, views, angles_rad.size()),
        "give one angle a projection, in the same order");
  }
  const auto bad =
      std::find_if_not(angles_rad.begin(), angles_rad.end(), [](double a) { return std::isfinite(a); });
  if (bad == angles_rad.end()) return;
  throw Error(fmt::format("projection angle {} of {} is {}", bad - angles_rad.begin() + 1, scan, *bad),
              "every projection needs its angle: correct it, or leave the projection out");
}

void require_pixel(const std::optional<double>& pixel_mm, const std::string& scan) {
  if (!pixel_mm || (*pixel_mm > 0 && std::isfinite(*pixel_mm))) return;
  throw Error(fmt::format("the pixels of {} would be {} mm wide", scan, *pixel_mm),
              "give their size in mm, or leave it out");
}

// The number of frames.
int64_t require_size(const ImageSource* frames, const ScanInfo& info, const char* what) {
  if (frames == nullptr) return 0;
  const auto& [count, rows, columns] = frames->info().shape;
  if (rows != info.rows || columns != info.columns) {
    throw Error(fmt::format("the {} {} have {} x {} pixels (rows x columns), the projections {} x {}", what,
                            frames->name(), rows, columns, info.rows, info.columns),
                "they must come from the same scan, cropped alike");
  }
  return count;
}

void require_range(int64_t begin, int64_t count, int64_t total, const char* what, const std::string& scan) {
  if (begin >= 0 && count >= 1 && count <= total && begin <= total - count) return;
  throw Error(fmt::format("{} {} + {} lie outside of {}, which has {}", what, begin, count, scan, total),
              fmt::format("choose from 0 to {}", total - 1));
}

at::Tensor read_frames(ImageSource* frames, Views range, Rows rows, int64_t columns) {
  if (frames == nullptr) return at::empty({0, rows.count, columns}, at::kFloat);
  return frames->read({{range.begin, rows.begin, 0}, {range.count, rows.count, columns}});
}

std::unique_ptr<ImageSource> memory_frames(const at::Tensor& frames, const std::string& name) {
  return frames.defined() && frames.size(0) > 0 ? memory_source(frames, {}, name) : nullptr;
}

}  // namespace

ProjectionSource::ProjectionSource(std::string name, std::string format, ScanFrames frames, ScanSetup setup)
    : name_(std::move(name)), frames_(std::move(frames)) {
  const ImageInfo& projections = frames_.projections->info();
  info_.views = projections.shape[0];
  info_.rows = projections.shape[1];
  info_.columns = projections.shape[2];
  info_.flats = require_size(frames_.flats.get(), info_, "flat fields");
  info_.darks = require_size(frames_.darks.get(), info_, "dark fields");
  info_.scalar = projections.scalar;
  info_.header = projections.header;
  info_.format = std::move(format);
  require_angles(setup.angles_rad, info_.views, name_);
  require_pixel(setup.pixel_mm, name_);
  info_.angles_rad = std::move(setup.angles_rad);
  info_.pixel_mm = setup.pixel_mm;
}

at::Tensor ProjectionSource::read(Views views, Rows rows) const {
  require_range(views.begin, views.count, info_.views, "views", name_);
  require_range(rows.begin, rows.count, info_.rows, "rows", name_);
  return read_frames(frames_.projections.get(), views, rows, info_.columns);
}

at::Tensor ProjectionSource::read(Rows rows) const {
  return read(all_views(info_), rows);
}

at::Tensor ProjectionSource::read_flats(Rows rows) const {
  require_range(rows.begin, rows.count, info_.rows, "rows", name_);
  return read_frames(frames_.flats.get(), {0, info_.flats}, rows, info_.columns);
}

at::Tensor ProjectionSource::read_darks(Rows rows) const {
  require_range(rows.begin, rows.count, info_.rows, "rows", name_);
  return read_frames(frames_.darks.get(), {0, info_.darks}, rows, info_.columns);
}

std::unique_ptr<ProjectionSource> memory_projections(const Scan& scan, const std::string& name) {
  ScanFrames frames{memory_source(scan.projections, {}, name), memory_frames(scan.flats, name + " flats"),
                    memory_frames(scan.darks, name + " darks")};
  return std::make_unique<ProjectionSource>(name, "memory", std::move(frames), scan.setup);
}

}  // namespace lucivox
