#include <cmath>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/demo.h>
#include <lucivox/program/device.h>
#include <lucivox/program/enhancement.h>
#include <lucivox/program/simulation.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

constexpr int64_t kTraining = 128, kHeldOut = 8, kSize = 256;
constexpr char kMarker[] = "demo.json";  // says that the folder may be replaced

// The default recipe in minutes: dense epochs as long as they gain, then half of the filters go little by
// little.
Json configuration(const fs::path& data, uint64_t seed) {
  return {{"data", {{"train", (data / "train").string()}, {"validation", (data / "held-out").string()}}},
          {"train",
           {{"epochs", 96},
            {"seed", seed},
            {"sparsity",
             {{"criterion", "filters-l1"},
              {"amount", 0.5},
              {"dense_epochs", 80},
              {"gradual_epochs", 4},
              {"learning_rate", 1e-3}}}}}};
}

void make_room(const fs::path& run) {
  if (fs::exists(run / kMarker)) fs::remove_all(run);
  if (fs::exists(run))
    throw Error::misuse(run.string() + " exists and is no earlier demo", "give another folder with --run");
  create_folder(run);
  write_file(run / kMarker, "{\"demo\": true}\n");
}

void require_better(const BeforeAfter& quality) {
  const Quality &b = quality.before, &a = quality.after;
  const bool better = a.mse < b.mse && a.psnr > b.psnr && a.ssim > b.ssim && a.ms_ssim > b.ms_ssim;
  if (better) return;
  throw Error(
      fmt::format(
          "the enhanced slices are not better by every metric (PSNR {:.2f} to {:.2f}, SSIM {:.4f} to {:.4f}, "
          "MS-SSIM {:.4f} to {:.4f})",
          b.psnr, a.psnr, b.ssim, a.ssim, b.ms_ssim, a.ms_ssim),
      "training did not converge; see the loss curves in report.html");
}

// Enhancement should stay quantitative: a region of one value keeps its HU within this. Results of so short a
// training differ from machine to machine, so a larger error is a warning.
constexpr double kToleranceHu = 15;

void warn_of_moved_levels(const Json& constant_regions, Reporter& reporter) {
  for (const Json& region : constant_regions) {
    const double error = region.at("error_hu").get<double>();
    if (std::abs(error) <= kToleranceHu) continue;
    reporter.warn(
        fmt::format("regions of {:g} HU come out {:.1f} HU too {}: longer trainings keep levels better",
                    region.at("hu").get<double>(), std::abs(error), error > 0 ? "high" : "low"));
  }
}

}  // namespace

TrainingSummary demo(const DemoOptions& options, Reporter& reporter, const StopToken& stop) {
  device_options(options.device);  // an unknown device is told before anything is computed
  make_room(options.run);
  const fs::path data = options.run / "data";
  const CtSimulation scan{.slices = kTraining + kHeldOut, .size = kSize, .seed = options.seed};
  simulate_ct_files({data / "train"}, scan, 0, kTraining, reporter, stop);
  simulate_ct_files({data / "held-out"}, scan, kTraining, kHeldOut, reporter, stop);

  const TrainingJob job{"ddnet",     "ddnet-demo", configuration(data, options.seed),
                        options.run, Start::Fresh, options.device,
                        {},          true};
  TrainingSummary summary = run_training(job, reporter, stop);
  if (!summary.result.finished) return summary;
  Model model = load_model(options.run / "model.safetensors");
  enhance_files(model, data / "held-out" / "LQ", {options.run / "enhanced"}, silence(), stop);
  require_better(*summary.quality);
  warn_of_moved_levels(summary.json.at("constant_regions"), reporter);
  return summary;
}

}  // namespace lucivox
