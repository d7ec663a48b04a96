#include <cmath>

#include <fmt/format.h>

#include <lucivox/program/chart.h>
#include <lucivox/program/pruning_report.h>

namespace lucivox {
namespace {

std::vector<Json> of_kind(const std::vector<Json>& metrics, const std::string& kind) {
  std::vector<Json> lines;
  for (const Json& line : metrics) {
    if (line.value("kind", "") == kind) lines.push_back(line);
  }
  return lines;
}

// Of the last epoch before `step`, null where there is none.
Json validation_before(const std::vector<Json>& epochs, int64_t step) {
  Json validation;
  for (const Json& line : epochs) {
    if (line.at("step").get<int64_t>() < step) validation = line.value("validation", Json());
  }
  return validation;
}

std::vector<std::string> row(const std::string& name, const Json& quality) {
  const auto number = [&](const char* key, int digits) {
    return fmt::format("{:.{}f}", quality.at(key).get<double>(), digits);
  };
  return {name, number("ms_ssim", 4), number("ssim", 4), number("psnr", 2), number("loss", 6)};
}

std::string gradient_chart(const std::vector<Json>& epochs, const Json& pruning) {
  Series gradient{"|change| of the loss", {}};
  for (size_t i = 1; i < epochs.size(); ++i) {
    gradient.points.emplace_back(
        epochs[i].at("epoch").get<double>() + 1,
        std::abs(epochs[i].at("loss").get<double>() - epochs[i - 1].at("loss").get<double>()));
  }
  const Marker switched{pruning.at("epoch").get<double>() + 0.5, "pruned"};
  return line_chart({"Loss gradient", "epoch", {gradient}, {switched}, true});
}

Series histogram(const std::string& name, const Json& weights, const char* when) {
  const auto counts = weights.at(when).get<std::vector<double>>();
  const double limit = weights.at("limit").get<double>(), bins = static_cast<double>(counts.size());
  Series series{name, {}, Stroke::Steps};
  for (size_t i = 0; i < counts.size(); ++i)
    series.points.emplace_back(limit * ((2 * static_cast<double>(i) + 1) / bins - 1), counts[i]);
  return series;
}

std::string weights_chart(const Json& pruning) {
  const Json& weights = pruning.at("weights");
  return line_chart({"Convolution weights",
                     "value of the weights that are kept (the outermost bins hold what is beyond)",
                     {histogram("before pruning", weights, "before"), histogram("after", weights, "after")},
                     {}});
}

}  // namespace

Json pruning_summary(const std::vector<Json>& metrics) {
  const std::vector<Json> prunings = of_kind(metrics, "pruning"), epochs = of_kind(metrics, "epoch");
  if (prunings.empty()) return Json::object();
  const Json &first = prunings.front(), &last = prunings.back();
  Json summary = {{"dense_epochs", first.at("epoch")}, {"reason", first.at("reason")},
                  {"prunings", prunings.size()},       {"criterion", last.at("criterion")},
                  {"amount", last.at("amount")},       {"sparsity", last.at("sparsity")}};
  if (!last.contains("validation")) return summary;
  const Json dense = validation_before(epochs, first.at("step").get<int64_t>());
  if (!dense.is_null()) summary["dense"] = dense;
  summary["pruned"] = last.at("validation");
  summary["retrained"] = epochs.back().at("validation");
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

std::vector<std::string> pruning_charts(const std::vector<Json>& metrics) {
  const std::vector<Json> prunings = of_kind(metrics, "pruning");
  if (prunings.empty()) return {};
  return {gradient_chart(of_kind(metrics, "epoch"), prunings.front()), weights_chart(prunings.back())};
}

}  // namespace lucivox
