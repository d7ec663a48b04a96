#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/text.h>
#include <lucivox/program/chart.h>
#include <lucivox/program/sweep_report.h>

namespace lucivox {
namespace {

double ms_ssim(const Json& result) {
  return result.at("quality").at("ms_ssim").get<double>();
}

bool is_dense(const Json& result) {
  return result.at("criterion") == "none";
}

const Json& dense_of(const Json& results) {
  return *std::find_if(results.begin(), results.end(), is_dense);
}

// The dense run's quality as a level over the range of x.
Series dense_level(const Json& results, double low, double high) {
  const double level = ms_ssim(dense_of(results));
  return {"dense", {{low, level}, {high, level}}, Stroke::Dashed};
}

// Where pruning costs nothing: the fewest dense epochs that end as good as the dense run.
std::vector<Marker> ideal_balance(const Json& results) {
  for (const Json& result : results) {
    if (!is_dense(result) && ms_ssim(result) >= ms_ssim(dense_of(results)))
      return {{result.at("dense_epochs").get<double>(), "as good as dense"}};
  }
  return {};
}

std::string hybrid_chart(const Json& results) {
  Series sparse{"pruned and retrained", {}, Stroke::Dots};
  for (const Json& result : results) {
    if (!is_dense(result))
      sparse.points.emplace_back(result.at("dense_epochs").get<double>(), ms_ssim(result));
  }
  const auto epochs = dense_of(results).at("dense_epochs").get<double>();
  return line_chart({"MS-SSIM",
                     fmt::format("dense epochs of {:g}, the others sparse", epochs),
                     {sparse, dense_level(results, 0, epochs)},
                     ideal_balance(results)});
}

std::string sparsity_chart(const Json& results) {
  std::vector<Series> series;
  for (const Json& result : results) {
    if (is_dense(result)) continue;
    const auto criterion = result.at("criterion").get<std::string>();
    if (series.empty() || series.back().name != criterion) series.push_back({criterion, {}, Stroke::Dots});
    series.back().points.emplace_back(100 * result.at("amount").get<double>(), ms_ssim(result));
  }
  series.push_back(dense_level(results, 10, 90));
  return line_chart({"MS-SSIM", "pruned, %", series, {}});
}

std::vector<std::string> result_row(const Json& result) {
  const Json& quality = result.at("quality");
  const auto number = [](const Json& value, int digits) {
    return fmt::format("{:.{}f}", value.get<double>(), digits);
  };
  return {result.at("run").get<std::string>(),
          fmt::format("{:.1f} %", 100 * result.at("sparsity").get<double>()),
          fmt::format("{} + {}", result.at("dense_epochs").get<int64_t>(),
                      result.at("sparse_epochs").get<int64_t>()),
          result.contains("pruned") ? number(result.at("pruned").at("ms_ssim"), 4) : "",
          number(quality.at("ms_ssim"), 4),
          number(quality.at("ssim"), 4),
          number(quality.at("psnr"), 2),
          human_seconds(result.at("training_seconds").get<double>())};
}

}  // namespace

ReportContent sweep_report(Sweep sweep, const Json& summary) {
  const Json& results = summary.at("runs");
  ReportContent report;
  report.title =
      sweep == Sweep::Hybrid ? "Dense epochs followed by sparse epochs" : "How much to prune, and how";
  report.subtitle =
      fmt::format("{} runs of one seed, on slices not trained on, against full dose; lucivox {}",
                  results.size(), summary.at("lucivox").get<std::string>());
  ReportTable table{"Runs",
                    {"run", "weights pruned", "epochs, dense + sparse", "MS-SSIM, not retrained", "MS-SSIM",
                     "SSIM", "PSNR (dB)", "training time"},
                    {}};
  for (const Json& result : results) table.rows.push_back(result_row(result));
  report.tables = {table};
  report.charts = {sweep == Sweep::Hybrid ? hybrid_chart(results) : sparsity_chart(results)};
  report.configuration = summary.at("configuration");
  return report;
}

}  // namespace lucivox
