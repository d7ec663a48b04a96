#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/device.h>
#include <lucivox/program/picture.h>
#include <lucivox/program/pruning_report.h>
#include <lucivox/program/report.h>
#include <lucivox/program/training.h>
#include <lucivox/program/training_configuration.h>
#include <lucivox/program/training_data.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/supervised.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

constexpr int64_t kPictures = 4;  // of validation slices, spread over all

bool pictured(int64_t index, int64_t count) {
  const int64_t wanted = std::min(kPictures, count);
  return index * wanted / count != (index + 1) * wanted / count;
}

// "" where they are not known.
std::string units_of(const IntensityMapping& intensity) {
  return intensity.units == Units::Unknown ? "" : to_string(intensity.units);
}

// HU are shown and judged in windows of their own, other values in the network's.
DisplayWindow display_window(const IntensityMapping& intensity) {
  if (intensity.units == Units::HU) return {};
  return {(intensity.low + intensity.high) / 2, intensity.high - intensity.low, units_of(intensity)};
}
QualityWindow quality_window(const IntensityMapping& intensity) {
  return intensity.units == Units::HU ? QualityWindow{} : QualityWindow{intensity.low, intensity.high};
}

Triptych triptych_of(const std::string& name, const SlicePair& pair, const at::Tensor& enhanced,
                     const Quality& before, const Quality& after, const DisplayWindow& window) {
  const auto caption = [](const Quality& q) {
    return fmt::format("PSNR {:.2f} dB, SSIM {:.4f}", q.psnr, q.ssim);
  };
  Triptych t;
  t.low_dose = pair.low;
  t.enhanced = enhanced;
  t.full_dose = pair.full;
  t.window = window;
  t.title = std::filesystem::path(name).filename().string();
  t.captions = {caption(before), caption(after), ""};
  return t;
}

// A low-dose slice [depth, Y, X] with its neighbours.
at::Tensor low_slices(PairedSlices& pairs, int64_t index, int64_t depth) {
  std::vector<at::Tensor> slices;
  for (const int64_t slice : neighbours(pairs, index, depth)) slices.push_back(pairs.read(slice).low);
  return at::stack(slices);
}

// Enhances every validation slice whole, as a user would, and pictures a few.
BeforeAfter compare(Model& model, PairedSlices& validation, const fs::path& run, const Console& console,
                    std::vector<ReportPicture>& pictures) {
  std::vector<Quality> before, after;
  create_folder(run / "pictures");
  const QualityWindow window = quality_window(model.intensity);
  const int64_t depth = model.network.graph().channels(0);
  Progress progress(console, "enhancing", validation.count(), "slices");
  for (int64_t i = 0; i < validation.count(); ++i) {
    const SlicePair pair = validation.read(i);
    const at::Tensor enhanced = enhance_slice(model, low_slices(validation, i, depth));
    before.push_back(quality(pair.low, pair.full, window));
    after.push_back(quality(enhanced, pair.full, window));
    if (pictured(i, validation.count())) {
      const std::string bytes = png(triptych(triptych_of(validation.name(i), pair, enhanced, before.back(),
                                                         after.back(), display_window(model.intensity))));
      write_file(run / "pictures" / fmt::format("slice_{:04}.png", i), bytes);
      pictures.push_back({std::filesystem::path(validation.name(i)).filename().string(), bytes});
    }
    progress.advance();
  }
  return {mean(before), mean(after), validation.count(), model.intensity.units};
}

// What the model of HU makes of slices of one value: that value and by how much the middle moved.
Json constant_regions(Model& model) {
  constexpr int64_t side = 128, margin = 32;
  const int64_t depth = model.network.graph().channels(0);
  Json regions = Json::array();
  for (const double hu : {-1000.0, -850.0, -500.0, -100.0, 0.0, 50.0, 300.0}) {
    const at::Tensor enhanced = enhance_slice(model, at::full({depth, side, side}, hu, at::kFloat));
    const at::Tensor middle = enhanced.slice(0, margin, side - margin).slice(1, margin, side - margin);
    regions.push_back({{"hu", hu}, {"error_hu", middle.mean().item<double>() - hu}});
  }
  return regions;
}

ReportTable constants_table(const Json& regions) {
  ReportTable table{"Regions of one value", {"HU", "moved by, HU"}, {}};
  for (const Json& region : regions) {
    table.rows.push_back({fmt::format("{:g}", region.at("hu").get<double>()),
                          fmt::format("{:+.1f}", region.at("error_hu").get<double>())});
  }
  return table;
}

ReportTable quality_table(const BeforeAfter& quality) {
  const auto row = [&](const std::string& name, double before, double after, bool more_is_better,
                       int digits) {
    const bool better = more_is_better ? after > before : after < before;
    return std::vector<std::string>{name, fmt::format("{:.{}f}", before, digits),
                                    fmt::format("{:.{}f}", after, digits), better ? "better" : "worse"};
  };
  const bool hu = quality.units == Units::HU;
  const Quality &b = quality.before, &a = quality.after;
  return {fmt::format("{} slices not trained on, against full dose", quality.slices),
          {"", "low dose", "enhanced", ""},
          {row(fmt::format("RMSE{}", hu ? " (HU)" : ""), b.rmse, a.rmse, false, hu ? 1 : 6),
           row("MSE (of the window)", b.mse, a.mse, false, 6), row("PSNR (dB)", b.psnr, a.psnr, true, 2),
           row("SSIM", b.ssim, a.ssim, true, 4), row("MS-SSIM", b.ms_ssim, a.ms_ssim, true, 4)}};
}

// Where the time and the memory went (Chaturvedi et al., figure 9a).
std::optional<ReportTable> machine_table(const std::vector<Json>& metrics, const TrainOptions& options,
                                         const Ranks& ranks) {
  const auto last = std::find_if(metrics.rbegin(), metrics.rend(),
                                 [](const Json& line) { return line.contains("machine"); });
  if (last == metrics.rend()) return std::nullopt;
  const Json& machine = last->at("machine");
  const auto bytes = [&](const char* key) { return human_bytes(machine.at(key).get<double>()); };
  ReportTable table{"The machine", {"", ""}, {}};
  table.rows = {{"precision", options.precision},
                {"ranks", fmt::format("{}", ranks.size())},
                {"peak memory", bytes("peak_memory")},
                {"moved from host to device", bytes("host_to_device")},
                {"moved on the device", bytes("device_to_device")},
                {"steps captured", fmt::format("{} times", machine.at("captures").get<int64_t>())}};
  if (machine.contains("skipped_steps")) {
    table.rows.push_back({"updates skipped by overflow", machine.at("skipped_steps").dump()});
    table.rows.push_back({"last scale of the loss", machine.at("loss_scale").dump()});
  }
  return table;
}

std::optional<ReportTable> warning_table(const std::vector<Json>& metrics) {
  ReportTable table{"Warnings", {"epoch", ""}, {}};
  for (const Json& line : metrics) {
    if (line.at("kind") == "warning")
      table.rows.push_back(
          {fmt::format("{}", line.at("epoch").get<int64_t>() + 1), line.at("text").get<std::string>()});
  }
  return table.rows.empty() ? std::nullopt : std::optional(table);
}

Json how_trained(const TrainingConfiguration& configuration, const TrainResult& result) {
  Json json = {
      {"steps", result.steps}, {"seconds", result.seconds}, {"configuration", configuration.resolved()}};
  json["pruned"] = !result.masks.empty();
  return json;
}

Json summary_json(const Model& model, const TrainingConfiguration& configuration, const TrainResult& result,
                  const std::optional<BeforeAfter>& quality, const Ranks& ranks) {
  Json json = {{"lucivox", version()},
               {"finished", utc_now()},
               {"model", model.name},
               {"parameters", model.network.graph().parameter_count()},
               {"sparsity", result.sparsity},
               {"steps", result.steps},
               {"training_seconds", result.seconds},
               {"skipped_steps", result.skipped},
               {"peak_memory", result.peak_memory},
               {"threads", threads()},
               {"ranks", ranks.size()}};
  if (quality) {
    json["slices"] = quality->slices;
    json["before"] = to_json(quality->before);
    json["after"] = to_json(quality->after);
  }
  json["configuration"] = configuration.resolved();
  return json;
}

void require_same_options(const Ranks& ranks, const Json& mine) {
  const std::vector<std::string> all = ranks.gather(mine.dump());
  const auto other = std::find_if(all.begin(), all.end(), [&](const auto& text) { return text != all[0]; });
  if (other == all.end()) return;
  const Json a = Json::parse(all[0]), b = Json::parse(*other);
  const std::string path = Json::diff(a, b).at(0).at("path").get<std::string>();
  const Json::json_pointer at(path);
  throw Error::misuse(
      fmt::format("ranks differ in {}: rank 0 has {}, rank {} has {}", path, a.value(at, Json()).dump(),
                  other - all.begin(), b.value(at, Json()).dump()),
      "give every rank the same configuration");
}

// Ranks that were given different things would learn something that nobody asked for, or wait for ever.
void require_same_everywhere(const Ranks& ranks, const TrainingConfiguration& configuration,
                             const PairedSlices& training, const PairedSlices* validation) {
  require_agreement(ranks, "their version", version());
  require_same_options(ranks, configuration.resolved());
  require_agreement(ranks, "the training data", fingerprint(training));
  require_agreement(ranks, "the validation data", validation == nullptr ? "none" : fingerprint(*validation));
}

// Whether every layer can be pruned so, told before dense epochs are spent. Over all layers at once it is the
// trained weights that decide.
void require_prunable(const Network& network, const TrainOptions& options) {
  const PruningOptions& pruning = options.sparsity.pruning;
  if (pruning.criterion != "magnitude-global") pruning_masks(network, pruning, options.seed);
}

void tell_of_slow_precision(const std::string& precision, c10::Device device, const Console& console) {
  if (device.is_cpu() && precision != "fp32" && !has_half_precision())
    console.note(fmt::format("{} only rounds here: this processor computes in fp32, which alone is faster",
                             precision));
}

// A run that was killed before its first checkpoint is resumed at its beginning.
bool begins_anew(const TrainingJob& job) {
  return job.start == Start::Resume && RunFolder::is_run(job.run) &&
         !fs::exists(RunFolder::checkpoint_of(job.run));
}

RunFolder open_run(const TrainingJob& job, const Json& configuration) {
  if (!job.ranks.leads()) return RunFolder::watch(job.run);
  if (begins_anew(job)) return RunFolder::restart(job.run, configuration);
  return job.start == Start::Fresh ? RunFolder::create(job.run, configuration) : RunFolder::resume(job.run);
}

ReportContent report(const TrainingJob& job, const TrainingConfiguration& configuration,
                     const TrainingSummary& summary, const std::vector<Json>& metrics,
                     std::vector<ReportPicture> pictures) {
  ReportContent report;
  report.title = fmt::format("Training of {}", job.name);
  report.subtitle = fmt::format("{} steps in {}, {} threads, lucivox {}", summary.result.steps,
                                human_seconds(summary.result.seconds), threads(), version());
  if (summary.quality) report.tables.push_back(quality_table(*summary.quality));
  if (summary.json.contains("constant_regions"))
    report.tables.push_back(constants_table(summary.json.at("constant_regions")));
  if (const auto table = warning_table(metrics)) report.tables.push_back(*table);
  if (const auto table = pruning_table(summary.json.at("pruning"))) report.tables.push_back(*table);
  if (const auto table = machine_table(metrics, configuration.train, job.ranks))
    report.tables.push_back(*table);
  report.pictures = std::move(pictures);
  report.charts = training_charts(metrics);
  for (std::string& chart : pruning_charts(metrics)) report.charts.push_back(std::move(chart));
  report.configuration = summary.json.at("configuration");
  return report;
}

}  // namespace

void require_run_outside(const fs::path& run, const std::vector<fs::path>& inputs) {
  require_outside(run, inputs, "choose another run folder (--run)");
}

TrainingSummary run_training(const TrainingJob& job, const Console& console, const StopToken& stop) {
  TrainingConfiguration configuration = training_configuration(job.architecture, job.configuration);
  require_run_outside(job.run, configuration.files());
  const auto training = open_pairs(configuration.train_data, console);
  const auto validation =
      configuration.validation_data.is_null() ? nullptr : open_pairs(configuration.validation_data, console);

  complete(configuration, *training, console);
  Model model{Network(configuration.graph(), configuration.train.seed),
              configuration.intensity,
              job.name,
              {},
              version()};
  require_prunable(model.network, configuration.train);
  const c10::Device device = device_options(job.device).device();
  const c10::DeviceGuard here(device);
  model.network.to(device);
  tell_of_slow_precision(configuration.train.precision, device, console);
  require_same_everywhere(job.ranks, configuration, *training, validation.get());
  if (job.ranks.size() > 1) console.note(fmt::format("training in {} ranks", job.ranks.size()));
  const auto task = supervised(*training, validation.get(), configuration.intensity, configuration.train,
                               model.network, console, job.ranks);
  const Start start = begins_anew(job) ? Start::Fresh : job.start;
  RunFolder run = open_run(job, configuration.resolved());
  TrainingSummary summary;
  summary.result = train(model.network, *task, configuration.train, run, start, console, stop, job.ranks);
  if (!summary.result.finished || !job.ranks.leads()) return summary;

  model.removed = summary.result.removed;
  model.training = how_trained(configuration, summary.result);
  save_model(run.model(), model);
  std::vector<ReportPicture> pictures;
  if (validation) summary.quality = compare(model, *validation, run.path(), console, pictures);
  summary.json = summary_json(model, configuration, summary.result, summary.quality, job.ranks);
  if (model.intensity.units == Units::HU) summary.json["constant_regions"] = constant_regions(model);
  const std::vector<Json> metrics = run.metrics();
  summary.json["pruning"] = pruning_summary(metrics);
  write_report(run.path(), report(job, configuration, summary, metrics, std::move(pictures)));
  write_file(run.path() / "summary.json", summary.json.dump(2) + "\n");
  return summary;
}

}  // namespace lucivox
