#include <cmath>

#include <fmt/format.h>

#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/program/chart.h>
#include <lucivox/program/report.h>

namespace lucivox {
namespace {

constexpr char kStyle[] = R"(
:root { --paper: #fff; --ink: #1d2330; --faint: #b9c3d3; --grid: #e6eaf0; --line-1: #2563c9; --line-2: #d2691e; --line-3: #2b8a57; --line-4: #8a4fbf; --line-5: #c2255c; --line-6: #0b8fa3; --line-7: #8a6d1c; --line-8: #5c6b7d; --line-9: #6d8a1c; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #dfe5ee; --faint: #4a5568; --grid: #2a313d; --line-1: #7db1ff; --line-2: #ffae70; --line-3: #78d6a3; --line-4: #c9a0f0; --line-5: #ff8fb3; --line-6: #6fd8e8; --line-7: #d9bd6a; --line-8: #a9b6c6; --line-9: #bcd96a; } }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; font-size: 1.15rem; }
svg { font-family: inherit; width: 100%; height: auto; } figure { margin: 1.5rem 0; } figure img { width: 100%; height: auto; }
figcaption, footer { font-size: .9rem; opacity: .8; }
table { border-collapse: collapse; } th, td { padding: .3rem 1.1rem .3rem 0; text-align: right; border-bottom: 1px solid var(--grid); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem 2rem; }
pre { overflow-x: auto; font-size: .85rem; }
)";

std::string cells(const char* tag, const std::vector<std::string>& row) {
  std::string html = "<tr>";
  for (const std::string& cell : row) html += fmt::format("<{0}>{1}</{0}>", tag, escape_html(cell));
  return html + "</tr>\n";
}

std::string html_of(const ReportTable& table) {
  std::string html =
      fmt::format("<h2>{}</h2>\n<table>\n{}", escape_html(table.title), cells("th", table.header));
  for (const auto& row : table.rows) html += cells("td", row);
  return html + "</table>\n";
}

std::string html_of(const ReportPicture& picture) {
  const std::string caption = escape_html(picture.caption);
  return fmt::format(
      "<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption></figure>\n",
      caption, base64(picture.png));
}

// Of a training: a third, after which most of what is left to learn are fractions of a decibel.
constexpr double kUnsettled = 1.0 / 3;

// A number of every record of one kind, where it has one, along the steps.
template <typename Record, typename Value>
Series series_of(const RunRecords& records, const std::string& name, const Value& value) {
  Series series{name, {}};
  for (const Record& record : of_kind<Record>(records)) {
    const std::optional<double> number = value(record);
    if (number && std::isfinite(*number))
      series.points.emplace_back(static_cast<double>(record.step), *number);
  }
  return series;
}

// A number of every epoch's validation.
Series validation_of(const RunRecords& records, const std::string& name, double ValidationRecord::*number) {
  return series_of<EpochRecord>(records, name, [&](const EpochRecord& epoch) {
    return epoch.validation ? std::optional(*epoch.validation.*number) : std::nullopt;
  });
}

// The low-dose slices' own quality, as a level through the whole training.
Series baseline_of(const RunRecords& records, double ValidationRecord::*number) {
  Series series{"low dose", {}, Stroke::Dashed};
  for (const BaselineRecord& baseline : of_kind<BaselineRecord>(records)) {
    const double level = baseline.validation.*number;
    series.points = {{0, level}, {static_cast<double>(step_of(records.back())), level}};
  }
  return series;
}

// What the steps of every epoch took together (Chaturvedi et al., figure 9b).
Series epoch_seconds(const RunRecords& records) {
  Series series{"steps of an epoch", {}};
  double seconds = 0;
  for (const RunRecord& record : records) {
    if (const auto* step = std::get_if<StepRecord>(&record)) seconds += step->seconds;
    if (!std::holds_alternative<EpochRecord>(record)) continue;
    series.points.emplace_back(static_cast<double>(step_of(record)), seconds);
    seconds = 0;
  }
  return series;
}

std::vector<Marker> prunings(const RunRecords& records) {
  std::vector<Marker> markers;
  for (const PruningRecord& pruning : of_kind<PruningRecord>(records))
    markers.push_back({static_cast<double>(pruning.step), markers.empty() ? "pruned" : ""});
  return markers;
}

}  // namespace

std::vector<std::string> training_charts(const RunRecords& records, Units units) {
  const std::vector<Marker> markers = prunings(records);
  std::vector<std::string> charts;
  const auto add = [&](const std::string& title, std::vector<Series> series, bool logarithmic,
                       double unsettled = kUnsettled) {
    if (!series.back().points.empty())
      charts.push_back(line_chart({title, "step", std::move(series), markers, logarithmic, unsettled}));
  };
  const auto loss = [](const auto& record) { return std::optional(record.loss); };
  Series steps = series_of<StepRecord>(records, "step", loss);
  steps.stroke = Stroke::Faint;
  add("Loss",
      {steps, validation_of(records, "validation", &ValidationRecord::loss),
       series_of<EpochRecord>(records, "epoch mean", loss)},
      true);
  add("Loss of the discriminator",
      {series_of<EpochRecord>(records, "epoch mean",
                              [](const EpochRecord& epoch) { return epoch.opponent_loss; })},
      true);
  const auto validated = [&](const std::string& title, double ValidationRecord::*number) {
    add(title, {baseline_of(records, number), validation_of(records, "enhanced", number)}, false);
  };
  validated(units == Units::Unknown ? "Validation RMSE" : "Validation RMSE, " + to_string(units),
            &ValidationRecord::rmse);
  validated("Validation PSNR, dB", &ValidationRecord::psnr);
  validated("Validation SSIM", &ValidationRecord::ssim);
  validated("Validation MS-SSIM", &ValidationRecord::ms_ssim);
  const auto rate = [](const EpochRecord& epoch) { return std::optional(epoch.learning_rate); };
  add("Learning rate", {series_of<EpochRecord>(records, "learning rate", rate)}, true, 0);
  add("Time, s", {epoch_seconds(records)}, false, 0);
  return charts;
}

void write_report(const std::filesystem::path& folder, const ReportContent& content) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">"
      "<title>{0}</title><style>{2}</style></head><body>\n<h1>{0}</h1>\n<p>{1}</p>\n",
      escape_html(content.title), escape_html(content.subtitle), kStyle);
  for (const ReportTable& table : content.tables) html += html_of(table);
  if (!content.pictures.empty()) html += "<h2>Pictures</h2>\n";
  for (const ReportPicture& picture : content.pictures) html += html_of(picture);
  if (!content.charts.empty()) html += "<h2>Curves</h2>\n<div class=\"charts\">\n";
  for (const std::string& chart : content.charts) html += chart + "\n";
  if (!content.charts.empty()) html += "</div>\n";
  html += fmt::format("<details><summary>Configuration</summary><pre>{}</pre></details>\n",
                      escape_html(content.configuration.dump(2)));
  html += fmt::format(
      "<footer><p>lucivox {}. Research use only: not for diagnosis or "
      "treatment.</p></footer>\n</body></html>\n",
      version());
  write_file(folder / "report.html", html);
}

}  // namespace lucivox
