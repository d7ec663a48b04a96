#include <fmt/format.h>

#include <lucivox/base/text.h>
#include <lucivox/cli/training_text.h>

namespace lucivox {
namespace {

std::string quality_text(const BeforeAfter& q) {
  const auto row = [](const char* name, double before, double after, int digits) {
    return fmt::format("{:<10}{:>12.{}f}{:>12.{}f}\n", name, before, digits, after, digits);
  };
  const bool hu = q.units == Units::HU;
  return fmt::format("{} unseen slices against full dose\n{:<10}{:>12}{:>12}\n", q.slices, "", "low dose",
                     "enhanced") +
         row(hu ? "RMSE, HU" : "RMSE", q.before.rmse, q.after.rmse, hu ? 2 : 6) +
         row("MSE", q.before.mse, q.after.mse, 6) + row("PSNR, dB", q.before.psnr, q.after.psnr, 2) +
         row("SSIM", q.before.ssim, q.after.ssim, 4) + row("MS-SSIM", q.before.ms_ssim, q.after.ms_ssim, 4);
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
