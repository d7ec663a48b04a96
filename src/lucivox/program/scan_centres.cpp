#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/projections.h>
#include <lucivox/program/font.h>
#include <lucivox/program/image_files.h>
#include <lucivox/program/picture.h>
#include <lucivox/program/scan_centres.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/preprocess/centre.h>

namespace lucivox {
namespace {

// Rows that are asked where the axis is: an odd number, so that the median is one of them, and enough for a
// line through them to bear some that are wrong.
constexpr int64_t kAskedRows = 5;

// The numbers of "1,2.5"; nothing when it is not such a list.
std::optional<std::vector<double>> numbers(const std::string& text) {
  std::vector<double> values;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    double value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    values.push_back(value);
    if (next == end) return values;
    if (*next != ',') return std::nullopt;
    at = next + 1;
  }
}

std::vector<double> evenly_spread(Rows rows) {
  const int64_t count = std::min(rows.count, kAskedRows);
  std::vector<double> asked;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = rows.begin + (2 * i + 1) * rows.count / (2 * count);
    asked.push_back(static_cast<double>(row));
  }
  return asked;
}

double centre_in(const ProjectionSource& scan, int64_t row, const Preprocessing& preprocessing) {
  return find_centre(read_line_integrals(scan, {row, 1}, preprocessing)[0], scan.info().angles_rad);
}

// What some rows say; those that see nothing of the object say nothing.
struct Said {
  std::vector<double> rows, centres;
};

Said ask(const ProjectionSource& scan, Rows rows, const Preprocessing& preprocessing, Reporter& reporter) {
  const std::vector<double> asked = evenly_spread(rows);
  Progress progress(reporter, "centre of rotation", std::ssize(asked), "rows");
  Said said;
  std::string why;
  for (const double row : asked) {
    try {
      said.centres.push_back(centre_in(scan, static_cast<int64_t>(row), preprocessing));
      said.rows.push_back(row);
    } catch (const Error& error) {
      if (error.exit_code() == 2) throw;
      why = error.what();
    }
    progress.advance(said.centres.empty() ? "" : fmt::format("{:.2f}", said.centres.back()));
  }
  if (said.centres.empty())
    throw Error(fmt::format("{}: no centre of rotation found: {}", scan.name(), why),
                "give it (--centre COLUMN), or look for it with --centre-sweep");
  return said;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

template <typename Centre>
std::vector<double> for_each_row(Rows rows, const Centre& centre) {
  std::vector<double> centres;
  for (int64_t row = rows.begin; row < rows.begin + rows.count; ++row)
    centres.push_back(centre(static_cast<double>(row)));
  return centres;
}

std::vector<double> each_for_itself(const ProjectionSource& scan, Rows rows,
                                    const Preprocessing& preprocessing, Reporter& reporter) {
  Progress progress(reporter, "centres of rotation", rows.count, "rows");
  return for_each_row(rows, [&](double row) {
    const double centre = centre_in(scan, static_cast<int64_t>(row), preprocessing);
    progress.advance(fmt::format("{:.2f}", centre));
    return centre;
  });
}

std::vector<double> along_a_line(const ProjectionSource& scan, Rows rows, const Preprocessing& preprocessing,
                                 Reporter& reporter) {
  const Said said = ask(scan, rows, preprocessing, reporter);
  const AxisLine line = fit_centres(said.rows, said.centres);
  reporter.note(
      fmt::format("centre of rotation {:.2f} at row 0, {:+.5f} columns a row", line.at_row_0, line.slope));
  return for_each_row(rows, [&](double row) { return line.centre(row); });
}

std::vector<double> the_same(const ProjectionSource& scan, Rows rows, const Preprocessing& preprocessing,
                             Reporter& reporter) {
  const double centre = median(ask(scan, rows, preprocessing, reporter).centres);
  reporter.note(fmt::format("centre of rotation {:.2f}", centre));
  return std::vector<double>(static_cast<size_t>(rows.count), centre);
}

std::vector<double> given(const ScanInfo& info, Rows rows, const CentreChoice& choice) {
  const auto last_row = static_cast<double>(std::max<int64_t>(info.rows - 1, 1));
  for (const double centre : {choice.first, choice.last}) {
    if (!(centre >= 0 && centre <= static_cast<double>(info.columns - 1)))
      throw Error::misuse(fmt::format("a centre of rotation at {} of {} columns", centre, info.columns),
                          "it counts in columns from 0 and lies on the detector");
  }
  return for_each_row(
      rows, [&](double row) { return choice.first + (choice.last - choice.first) * row / last_row; });
}

// ---- the sweep's picture ----

// Shades between the darkest and the brightest 0.5 % of all candidates.
at::Tensor shades(const at::Tensor& images) {
  const at::Tensor sorted = std::get<0>(images.flatten().sort());
  const int64_t cut = sorted.numel() / 200;
  const double low = sorted[cut].item<double>(), high = sorted[sorted.numel() - 1 - cut].item<double>();
  return ((images - low) * (255 / std::max(high - low, 1e-12))).clamp(0, 255).to(at::kByte);
}

constexpr int64_t kPanel = 384;  // sides of larger slices are halved until they are shorter than twice this
constexpr int64_t kTextScale = 2, kLabel = kTextScale * (kCapitalHeight + 6), kGap = 6;

at::Tensor figure(const at::Tensor& images_NYX, const std::vector<double>& centres) {
  at::Tensor panels = images_NYX;
  while (panels.size(2) >= 2 * kPanel) panels = at::avg_pool2d(panels.unsqueeze(1), 2).squeeze(1);
  panels = shades(panels);
  const int64_t count = panels.size(0), height = panels.size(1) + kLabel + kGap,
                width = panels.size(2) + kGap;
  const auto across = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  at::Tensor rgb =
      at::full({(count + across - 1) / across * height + kGap, across * width + kGap, 3}, 255, at::kByte);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t y = i / across * height + kGap, x = i % across * width + kGap;
    draw_text(rgb, x, y + 2 * kTextScale, fmt::format("{:.2f}", centres[static_cast<size_t>(i)]),
              {24, 28, 34}, kTextScale);
    rgb.narrow(0, y + kLabel, panels.size(1)).narrow(1, x, panels.size(2)).copy_(panels[i].unsqueeze(2));
  }
  return rgb;
}

}  // namespace

CentreChoice centre_choice(const std::string& text) {
  using Kind = CentreChoice::Kind;
  if (text == "auto") return {};
  if (text == "tilted") return {.kind = Kind::Tilted};
  if (text == "per-slice") return {.kind = Kind::PerSlice};
  const auto values = numbers(text);
  if (values && values->size() == 1)
    return {.kind = Kind::Given, .first = values->front(), .last = values->front()};
  if (values && values->size() == 2)
    return {.kind = Kind::Given, .first = values->front(), .last = values->back()};
  throw Error::misuse(
      fmt::format("'{}' as a centre of rotation", text),
      "auto, tilted, per-slice, a column such as 296.2, or those of the first and the last row, "
      "295.1,297.4");
}

std::unique_ptr<ProjectionSource> open_scan(const std::filesystem::path& scan,
                                            const std::filesystem::path& out, Reporter& reporter) {
  const std::vector<std::filesystem::path> files = files_of_scan(scan);
  require_apart(out, files);
  for (const std::filesystem::path& file : files) note_strays(file, reporter);
  return open_projections(scan);
}

Rows with_halo(Rows rows, const ScanInfo& info, const Preprocessing& preprocessing) {
  const int64_t halo = halo_rows(preprocessing);
  const int64_t begin = std::max<int64_t>(rows.begin - halo, 0),
                end = std::min(rows.begin + rows.count + halo, info.rows);
  return {begin, end - begin};
}

Recorded read_recorded(const ProjectionSource& scan, Rows rows) {
  return {scan.read(rows), scan.read_flats(rows), scan.read_darks(rows)};
}

at::Tensor read_line_integrals(const ProjectionSource& scan, Rows rows, const Preprocessing& preprocessing) {
  const Rows wide = with_halo(rows, scan.info(), preprocessing);
  return line_integrals(read_recorded(scan, wide), rows.begin - wide.begin, rows.count, preprocessing);
}

std::vector<double> centres_of(const ProjectionSource& scan, Rows rows, const CentreChoice& choice,
                               const Preprocessing& preprocessing, Reporter& reporter) {
  switch (choice.kind) {
    case CentreChoice::Kind::Tilted:
      return along_a_line(scan, rows, preprocessing, reporter);
    case CentreChoice::Kind::PerSlice:
      return each_for_itself(scan, rows, preprocessing, reporter);
    case CentreChoice::Kind::Given:
      return given(scan.info(), rows, choice);
    case CentreChoice::Kind::Automatic:
      break;
  }
  return the_same(scan, rows, preprocessing, reporter);
}

CentreSweep centre_sweep(const std::string& text) {
  const auto values = numbers(text);
  if (!values || values->size() != 3)
    throw Error::misuse(fmt::format("'{}' as a sweep over centres of rotation", text),
                        "the first and the last column and the step, such as 280,310,2");
  const CentreSweep sweep{(*values)[0], (*values)[1], (*values)[2]};
  const double count = (sweep.last - sweep.first) / sweep.step + 1;
  if (!(sweep.step > 0) || !(count >= 2) || !(count < 101))
    throw Error::misuse(
        fmt::format("a sweep from {} to {} in steps of {}", sweep.first, sweep.last, sweep.step),
        "it counts upwards, over 2 to 100 candidates");
  return sweep;
}

void write_centre_sweep(const ProjectionSource& scan, int64_t row, const CentreSweep& sweep,
                        const Preprocessing& preprocessing, c10::Device device,
                        const std::filesystem::path& out, Reporter& reporter, const StopToken& stop) {
  const ScanInfo& info = scan.info();
  std::vector<double> centres;
  for (int64_t i = 0; sweep.first + static_cast<double>(i) * sweep.step <= sweep.last + 1e-9; ++i)
    centres.push_back(sweep.first + static_cast<double>(i) * sweep.step);
  const at::Tensor sino = read_line_integrals(scan, {row, 1}, preprocessing).to(device);
  Progress progress(reporter, "centre sweep", std::ssize(centres), "candidates");
  std::vector<at::Tensor> images;
  for (const double centre : centres) {
    if (stop.stop_requested()) throw Error("stopped before the end", "nothing was written; start it again");
    images.push_back(fbp(sino,
                         {.angles_rad = info.angles_rad,
                          .detectors = info.columns,
                          .rows = info.columns,
                          .columns = info.columns,
                          .centre = centre},
                         RampWindow::SheppLogan));
    progress.advance();
  }
  write_file(out, png(figure(at::cat(images).cpu(), centres)));
}

}  // namespace lucivox
