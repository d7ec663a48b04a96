#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/toml.h>

// Scans that a person describes in a .toml file (formats/projections.h shows one).
namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

// The table [raw].
struct RawDescription {
  std::vector<int64_t> shape;
  int64_t flats = 0, darks = 0, offset = 0;
  std::string type = "uint16", byte_order = "little";
};

// The keys of a description; what is absent is empty.
struct Description {
  fs::path file;
  std::string projections, flats, darks;
  std::vector<double> angles_deg, angle_range_deg;
  std::string angles_file;
  std::optional<double> pixel_mm;
  std::optional<RawDescription> raw;
};

RawDescription read_raw_table(const Json& json, const std::string& where) {
  ConfigTable table(json, where);
  RawDescription raw;
  table.read("shape", raw.shape);
  table.read("flats", raw.flats);
  table.read("darks", raw.darks);
  table.read("type", raw.type);
  table.read("byte_order", raw.byte_order);
  table.read("offset", raw.offset);
  table.finish();
  return raw;
}

Description read_description(const fs::path& file) {
  const Json json = read_toml(file);
  ConfigTable table(json, file.string());
  Description scan;
  scan.file = file;
  table.read("projections", scan.projections);
  table.read("flats", scan.flats);
  table.read("darks", scan.darks);
  table.read("angles_deg", scan.angles_deg);
  table.read("angles_file", scan.angles_file);
  table.read("angle_range_deg", scan.angle_range_deg);
  double pixel_mm = 0;
  table.read("pixel_mm", pixel_mm);
  if (json.contains("pixel_mm")) scan.pixel_mm = pixel_mm;
  const Json raw = table.table("raw");
  if (json.contains("raw")) scan.raw = read_raw_table(raw, file.string() + ", [raw]");
  table.finish();
  return scan;
}

// ---- angles ----

double number_in(std::string_view line, const fs::path& file, size_t line_number) {
  double number = NAN;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc{} || end != line.data() + line.size()) {
    throw Error(fmt::format("{}, line {}: '{}' is no number", file.string(), line_number, clean_text(line)),
                "write one projection angle a line, in degrees");
  }
  return number;
}

// Empty lines count for nothing.
std::vector<double> read_angles(const fs::path& file) {
  require_exists(file, "file of angles");
  constexpr uint64_t max_bytes = 1 << 26;  // millions of angles
  const std::string text = read_file(file, max_bytes);
  std::vector<double> angles;
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    const size_t last = line.find_last_not_of(" \t\r");
    angles.push_back(number_in(line.substr(first, last - first + 1), file, line_number));
  }
  return angles;
}

std::vector<double> spread(const Description& scan, int64_t views) {
  if (scan.angle_range_deg.size() != 2) {
    throw Error::misuse(
        fmt::format("angle_range_deg of {} has {} numbers", scan.file.string(), scan.angle_range_deg.size()),
        "give two: the first angle, and the one that would follow the last");
  }
  const double first = scan.angle_range_deg[0], end = scan.angle_range_deg[1];
  std::vector<double> angles;
  for (int64_t view = 0; view < views; ++view)
    angles.push_back(first + (end - first) * static_cast<double>(view) / static_cast<double>(views));
  return angles;
}

std::vector<double> angles_deg_of(const Description& scan, int64_t views) {
  const int ways = (scan.angles_deg.empty() ? 0 : 1) + (scan.angles_file.empty() ? 0 : 1) +
                   (scan.angle_range_deg.empty() ? 0 : 1);
  if (ways != 1) {
    throw Error::misuse(fmt::format("{} gives its projection angles {}", scan.file.string(),
                                    ways == 0 ? "nowhere" : "in several ways"),
                        "give one of angles_deg, angles_file and angle_range_deg = [0, 180]");
  }
  if (!scan.angles_deg.empty()) return scan.angles_deg;
  if (!scan.angles_file.empty()) return read_angles(scan.file.parent_path() / scan.angles_file);
  return spread(scan, views);
}

ScanSetup setup_of(const Description& scan, int64_t views) {
  ScanSetup setup{angles_deg_of(scan, views), scan.pixel_mm};
  for (double& angle : setup.angles_rad) angle *= std::numbers::pi / 180;
  return setup;
}

// ---- frames ----

constexpr std::array kScalars{Scalar::UInt8,  Scalar::Int8,  Scalar::UInt16,  Scalar::Int16,
                              Scalar::UInt32, Scalar::Int32, Scalar::Float32, Scalar::Float64};

Scalar scalar_named(const std::string& name, const fs::path& description) {
  std::vector<std::string> known;
  for (const Scalar scalar : kScalars) {
    known.push_back(to_string(scalar));
    if (known.back() == name) return scalar;
  }
  const std::string near = nearest(name, known);
  throw Error::misuse(fmt::format("{}: raw.type '{}' is not known", description.string(), name),
                      near.empty() ? fmt::format("known are: {}", fmt::join(known, ", "))
                                   : fmt::format("did you mean '{}'?", near));
}

bool is_big_endian(const RawDescription& raw, const fs::path& description) {
  if (raw.byte_order == "big") return true;
  if (raw.byte_order == "little") return false;
  throw Error::misuse(
      fmt::format("{}: raw.byte_order '{}' is not known", description.string(), raw.byte_order),
      "write \"little\" or \"big\"");
}

RawLayout layout_of(const Description& scan, const char* count_key, int64_t count) {
  const RawDescription& raw = *scan.raw;
  if (raw.shape.size() != 3) {
    throw Error::misuse(fmt::format("{}: raw.shape has {} numbers", scan.file.string(), raw.shape.size()),
                        "give three: views, rows, columns");
  }
  const std::array<int64_t, 3> shape{count, raw.shape[1], raw.shape[2]};
  if (*std::min_element(shape.begin(), shape.end()) < 1 || raw.offset < 0) {
    throw Error::misuse(fmt::format("{}: {} frames of {} x {} pixels from byte {} on cannot be",
                                    scan.file.string(), count, shape[1], shape[2], raw.offset),
                        fmt::format("correct {}, raw.shape or raw.offset", count_key));
  }
  return {shape, scalar_named(raw.type, scan.file), is_big_endian(raw, scan.file), raw.offset};
}

std::unique_ptr<ImageSource> open_stack(const fs::path& path) {
  if (fs::is_directory(path)) return open_tiff_folder(path);
  for (const char* raw : {".raw", ".bin", ".dat"}) {
    if (path.extension() == raw)
      throw Error::misuse(path.string() + " is a raw file", "add a table [raw] with its shape and type");
  }
  return open(path);
}

// Null when the description names none.
std::unique_ptr<ImageSource> open_frames(const Description& scan, const std::string& name,
                                         const char* count_key, int64_t count) {
  if (name.empty()) return nullptr;
  const fs::path path = scan.file.parent_path() / name;
  return scan.raw ? open_raw(path, layout_of(scan, count_key, count)) : open_stack(path);
}

}  // namespace

std::vector<fs::path> files_of_description(const fs::path& description) {
  const Description scan = read_description(description);
  const fs::path folder = description.parent_path();
  std::vector<fs::path> files{description};
  if (!scan.angles_file.empty()) files.push_back(folder / scan.angles_file);
  for (const std::string& name : {scan.projections, scan.flats, scan.darks}) {
    if (name.empty()) continue;
    const std::vector<fs::path> frames =
        scan.raw ? std::vector{folder / name} : files_of_image(folder / name);
    files.insert(files.end(), frames.begin(), frames.end());
  }
  return files;
}

std::unique_ptr<ProjectionSource> open_described(const fs::path& description) {
  const Description scan = read_description(description);
  if (scan.projections.empty()) {
    throw Error::misuse(description.string() + " does not say where the projections are",
                        "add projections = \"FOLDER OR FILE\"");
  }
  const RawDescription raw = scan.raw.value_or(RawDescription{});
  const int64_t views = raw.shape.empty() ? 0 : raw.shape[0];
  ScanFrames frames{open_frames(scan, scan.projections, "raw.shape", views),
                    open_frames(scan, scan.flats, "raw.flats", raw.flats),
                    open_frames(scan, scan.darks, "raw.darks", raw.darks)};
  ScanSetup setup = setup_of(scan, frames.projections->info().shape[0]);
  const std::string format = frames.projections->info().format;
  return std::make_unique<ProjectionSource>(description.string(), format, std::move(frames),
                                            std::move(setup));
}

}  // namespace lucivox::formats
