#include <fmt/format.h>

#include <lucivox/base/parallel.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/program/pruning_report.h>
#include <lucivox/program/training_report.h>

namespace lucivox {
namespace {

ReportTable constants_table(const Json& regions) {
  ReportTable table{"Constant images", {"HU", "moved by, HU", "largest deviation from the centre, HU"}, {}};
  for (const Json& region : regions) {
    table.rows.push_back({fmt::format("{:g}", region.at("hu").get<double>()),
                          fmt::format("{:+.1f}", region.at("error_hu").get<double>()),
                          fmt::format("{:.1f}", region.at("uneven_hu").get<double>())});
  }
  return table;
}

ReportTable bias_table(const Json& tissues) {
  ReportTable table{"Mean error by tissue, HU", {"", "from, HU", "to, HU", "low dose", "enhanced"}, {}};
  for (const Json& tissue : tissues) {
    const auto number = [&](const char* key, const char* format) {
      return fmt::format(fmt::runtime(format), tissue.at(key).get<double>());
    };
    table.rows.push_back({tissue.at("tissue").get<std::string>(), number("low_hu", "{:g}"),
                          number("high_hu", "{:g}"), number("before_hu", "{:+.1f}"),
                          number("after_hu", "{:+.1f}")});
  }
  return table;
}

ReportTable quality_table(const BeforeAfter& quality) {
  const bool hu = quality.units == Units::HU;
  ReportTable table{
      fmt::format("{} slices not trained on, against full dose", quality.slices),
      {"", fmt::format("RMSE{}", hu ? ", HU" : ""), "MSE of the window", "PSNR, dB", "SSIM", "MS-SSIM"},
      {}};
  for (const auto& [name, q] : rows_of(quality)) {
    table.rows.push_back({name, fmt::format("{:.{}f}", q.rmse, hu ? 2 : 6), fmt::format("{:.3e}", q.mse),
                          fmt::format("{:.2f}", q.psnr), fmt::format("{:.4f}", q.ssim),
                          fmt::format("{:.4f}", q.ms_ssim)});
  }
  return table;
}

// Where the time and the memory went (Chaturvedi et al., figure 9a).
std::optional<ReportTable> machine_table(const RunRecords& records, const TrainOptions& options,
                                         const Ranks& ranks) {
  const auto epochs = of_kind<EpochRecord>(records);
  if (epochs.empty()) return std::nullopt;
  const MachineRecord& machine = epochs.back().machine;
  ReportTable table{"The machine", {"", ""}, {}};
  table.rows = {{"precision", options.precision},
                {"ranks", fmt::format("{}", ranks.size())},
                {"peak memory", human_bytes(machine.peak_memory)},
                {"moved from host to device", human_bytes(static_cast<double>(machine.host_to_device))},
                {"moved on the device", human_bytes(static_cast<double>(machine.device_to_device))},
                {"steps captured", fmt::format("{} times", machine.captures)}};
  if (machine.skipped_steps && machine.loss_scale) {
    table.rows.push_back({"updates skipped by overflow", fmt::format("{}", *machine.skipped_steps)});
    table.rows.push_back({"last scale of the loss", fmt::format("{}", *machine.loss_scale)});
  }
  return table;
}

std::optional<ReportTable> warning_table(const RunRecords& records) {
  ReportTable table{"Warnings", {"epoch", ""}, {}};
  for (const WarningRecord& warning : of_kind<WarningRecord>(records))
    table.rows.push_back({fmt::format("{}", warning.epoch + 1), warning.text});
  return table.rows.empty() ? std::nullopt : std::optional(table);
}

}  // namespace

ReportContent training_report(const TrainingJob& job, const TrainingConfiguration& configuration,
                              const TrainingSummary& summary, const RunRecords& records,
                              std::vector<ReportPicture> pictures) {
  ReportContent page;
  page.title = fmt::format("Training of {}", job.name);
  page.subtitle = fmt::format("{} steps in {}, {}, lucivox {}", summary.result.steps,
                              human_seconds(summary.result.seconds),
                              threads() == 1 ? "1 thread" : fmt::format("{} threads", threads()), version());
  if (summary.quality) page.tables.push_back(quality_table(*summary.quality));
  if (summary.json.contains("constant_regions"))
    page.tables.push_back(constants_table(summary.json.at("constant_regions")));
  if (summary.json.contains("tissue_bias")) page.tables.push_back(bias_table(summary.json.at("tissue_bias")));
  if (const auto table = warning_table(records)) page.tables.push_back(*table);
  if (const auto table = pruning_table(summary.json.at("pruning"))) page.tables.push_back(*table);
  if (const auto table = machine_table(records, configuration.train, job.ranks))
    page.tables.push_back(*table);
  page.pictures = std::move(pictures);
  page.charts = training_charts(records, configuration.intensity.units);
  for (std::string& chart : pruning_charts(records)) page.charts.push_back(std::move(chart));
  page.configuration = summary.json.at("configuration");
  return page;
}

}  // namespace lucivox
