#include <cmath>

#include <fmt/format.h>

#include <lucivox/program/chart.h>
#include <lucivox/program/pruning_report.h>

namespace lucivox {
namespace {

// Of the last epoch before `step`.
std::optional<ValidationRecord> validation_before(const std::vector<EpochRecord>& epochs, int64_t step) {
  std::optional<ValidationRecord> validation;
  for (const EpochRecord& epoch : epochs) {
    if (epoch.step < step) validation = epoch.validation;
  }
  return validation;
}

std::vector<std::string> row(const std::string& name, const Json& quality) {
  const auto number = [&](const char* key, int digits) {
    return fmt::format("{:.{}f}", quality.at(key).get<double>(), digits);
  };
  return {name, number("ms_ssim", 4), number("ssim", 4), number("psnr", 2), number("loss", 6)};
}

std::string gradient_chart(const std::vector<EpochRecord>& epochs, const PruningRecord& pruning) {
  Series gradient{"|change| of the loss", {}};
  for (size_t i = 1; i < epochs.size(); ++i) {
    gradient.points.emplace_back(static_cast<double>(epochs[i].epoch + 1),
                                 std::abs(epochs[i].loss - epochs[i - 1].loss));
  }
  const Marker switched{static_cast<double>(pruning.epoch) + 0.5, "pruned"};
  return line_chart({"Loss gradient", "epoch", {gradient}, {switched}, true});
}

Series histogram(const std::string& name, double limit, const std::vector<int64_t>& counts) {
  const auto bins = static_cast<double>(counts.size());
  Series series{name, {}, Stroke::Steps};
  for (size_t i = 0; i < counts.size(); ++i)
    series.points.emplace_back(limit * ((2 * static_cast<double>(i) + 1) / bins - 1),
                               static_cast<double>(counts[i]));
  return series;
}

std::string weights_chart(const WeightsRecord& weights) {
  return line_chart({"Convolution weights",
                     "value of the weights that are kept (the outermost bins hold what is beyond)",
                     {histogram("before pruning", weights.limit, weights.before),
                      histogram("after", weights.limit, weights.after)},
                     {}});
}

}  // namespace

Json pruning_summary(const RunRecords& records) {
  const auto prunings = of_kind<PruningRecord>(records);
  const auto epochs = of_kind<EpochRecord>(records);
  if (prunings.empty()) return Json::object();
  const PruningRecord &first = prunings.front(), &last = prunings.back();
  Json summary = {{"dense_epochs", first.epoch}, {"reason", first.reason}, {"prunings", prunings.size()},
                  {"criterion", last.criterion}, {"amount", last.amount},  {"sparsity", last.sparsity}};
  if (!last.validation) return summary;
  if (const auto dense = validation_before(epochs, first.step)) summary["dense"] = fields_json(*dense);
  summary["pruned"] = fields_json(*last.validation);
  summary["retrained"] = fields_json(epochs.back().validation.value());
  return summary;
}

std::optional<ReportTable> pruning_table(const Json& summary) {
  if (!summary.contains("pruned")) return std::nullopt;
  ReportTable table{
      fmt::format("Pruning without and with retraining: {:.0f} % of the convolution weights, {}",
                  100 * summary.at("sparsity").get<double>(), summary.at("criterion").get<std::string>()),
      {"validation, in the network's window", "MS-SSIM", "SSIM", "PSNR (dB)", "loss"},
      {}};
  const auto prunings = summary.at("prunings").get<int64_t>();
  if (summary.contains("dense"))
    table.rows.push_back(
        row(fmt::format("dense, {} epochs", summary.at("dense_epochs").get<int64_t>()), summary.at("dense")));
  table.rows.push_back(row(
      prunings == 1 ? "pruned, not retrained" : fmt::format("right after the last of {} prunings", prunings),
      summary.at("pruned")));
  table.rows.push_back(row("retrained", summary.at("retrained")));
  return table;
}

std::vector<std::string> pruning_charts(const RunRecords& records) {
  const auto prunings = of_kind<PruningRecord>(records);
  if (prunings.empty()) return {};
  return {gradient_chart(of_kind<EpochRecord>(records), prunings.front()),
          weights_chart(prunings.back().weights)};
}

}  // namespace lucivox
