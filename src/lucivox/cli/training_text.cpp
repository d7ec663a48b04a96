#include <fmt/format.h>

#include <lucivox/base/text.h>
#include <lucivox/cli/training_text.h>

namespace lucivox {
namespace {

std::string quality_text(const BeforeAfter& q) {
  const bool hu = q.units == Units::HU;
  std::string text = fmt::format("{:<34}{:>10}{:>10}{:>9}{:>9}\n",
                                 fmt::format("{} unseen slices against full dose", q.slices),
                                 hu ? "RMSE, HU" : "RMSE", "PSNR, dB", "SSIM", "MS-SSIM");
  for (const auto& [name, quality] : rows_of(q))
    text += fmt::format("{:<34}{:>10.{}f}{:>10.2f}{:>9.4f}{:>9.4f}\n", name, quality.rmse, hu ? 2 : 6,
                        quality.psnr, quality.ssim, quality.ms_ssim);
  return text;
}

std::string runs_text(const Json& runs) {
  std::string text = fmt::format("{:<24}{:>14}{:>14}{:>14}\n", "run", "pruned, %", "PSNR, dB", "MS-SSIM");
  for (const Json& run : runs) {
    const Json& quality = run.at("quality");
    text += fmt::format("{:<24}{:>14.1f}{:>14.2f}{:>14.4f}\n", run.at("run").get<std::string>(),
                        100 * run.at("sparsity").get<double>(), quality.at("psnr").get<double>(),
                        quality.at("ms_ssim").get<double>());
  }
  return text;
}

}  // namespace

int print_training(const Context& context, const std::filesystem::path& run, const TrainingSummary& summary) {
  if (!summary.result.finished) return kStopped;
  const std::string quality = summary.quality ? quality_text(*summary.quality) : std::string();
  print(context, summary.json,
        fmt::format("{}trained in {}\nmodel   {}\nreport  {}", quality, human_seconds(summary.result.seconds),
                    (run / "model.safetensors").string(), (run / "report.html").string()));
  return 0;
}

int print_sweep(const Context& context, const std::filesystem::path& folder, const SweepSummary& summary) {
  if (!summary.finished) return kStopped;
  print(context, summary.json,
        fmt::format("{}report  {}", runs_text(summary.json.at("runs")), (folder / "report.html").string()));
  return 0;
}

}  // namespace lucivox
