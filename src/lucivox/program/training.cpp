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
#include <lucivox/program/tissue_bias.h>
#include <lucivox/program/total_variation.h>
#include <lucivox/program/training.h>
#include <lucivox/program/training_configuration.h>
#include <lucivox/program/training_data.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/watch.h>

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

// HU are shown in the windows of lung and soft tissue; other values between percentiles of the full-dose
// slice, or one bright grain would leave everything else dark.
std::vector<DisplayWindow> display_windows(const IntensityMapping& intensity, const at::Tensor& full) {
  if (intensity.units == Units::HU) return {DisplayWindow{}, {kSoftTissueCentre, kSoftTissueWidth}};
  const at::Tensor edges = at::quantile(full.flatten().slice(0, 0, std::nullopt, 1 + full.numel() / 1000000),
                                        at::tensor({0.005, 0.995}, at::kFloat));
  const double low = edges[0].item<double>(), high = std::max(edges[1].item<double>(), low + 1e-9);
  return {{(low + high) / 2, high - low, units_of(intensity)}};
}
Triptych triptych_of(const std::string& name, const SlicePair& pair, const at::Tensor& enhanced,
                     const Quality& before, const Quality& after, const std::vector<DisplayWindow>& windows) {
  const auto caption = [](const Quality& q) {
    return fmt::format("PSNR {:.2f} dB, SSIM {:.4f}", q.psnr, q.ssim);
  };
  Triptych t;
  t.low_dose = pair.low;
  t.enhanced = enhanced;
  t.full_dose = pair.full;
  t.windows = windows;
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
  TissueBias bias;
  create_folder(run / "pictures");
  const QualityWindow window = quality_window(model.intensity);
  const int64_t depth = model.network.graph().channels(0);
  Progress progress(console, "enhancing", validation.count(), "slices");
  for (int64_t i = 0; i < validation.count(); ++i) {
    const SlicePair pair = validation.read(i);
    const at::Tensor enhanced = enhance_slice(model, low_slices(validation, i, depth));
    before.push_back(quality(pair.low, pair.full, window));
    after.push_back(quality(enhanced, pair.full, window));
    if (model.intensity.units == Units::HU) bias.add(pair.low, enhanced, pair.full);
    if (pictured(i, validation.count())) {
      const std::string bytes =
          png(triptych(triptych_of(validation.name(i), pair, enhanced, before.back(), after.back(),
                                   display_windows(model.intensity, pair.full))));
      write_file(run / "pictures" / fmt::format("slice_{:04}.png", i), bytes);
      pictures.push_back({std::filesystem::path(validation.name(i)).filename().string(), bytes});
    }
    progress.advance();
  }
  return {mean(before), mean(after), {}, validation.count(), model.intensity.units, bias.json()};
}

// The dense network that a sparse run has pruned, on the same slices.
Judged judge_dense(const fs::path& path, PairedSlices& validation) {
  Model model = load_model(path);
  std::vector<Quality> all;
  for (int64_t i = 0; i < validation.count(); ++i) {
    const at::Tensor enhanced =
        enhance_slice(model, low_slices(validation, i, model.network.graph().channels(0)));
    all.push_back(quality(enhanced, validation.read(i).full, quality_window(model.intensity)));
  }
  return {"dense network", mean(all)};
}

// Slices of one size, as they are where validation slices were simulated.
Judged judge_total_variation(PairedSlices& validation, const QualityWindow& window) {
  std::vector<at::Tensor> low, full;
  for (int64_t i = 0; i < validation.count(); ++i) {
    const SlicePair pair = validation.read(i);
    low.push_back(pair.low);
    full.push_back(pair.full);
  }
  const BestTotalVariation best = best_total_variation(at::stack(low), at::stack(full));
  std::vector<Quality> all;
  for (size_t i = 0; i < full.size(); ++i)
    all.push_back(quality(best.denoised[static_cast<int64_t>(i)], full[i], window));
  return {"total variation", mean(all)};
}

// What the model of HU makes of slices of one value: that value, by how much the centre moved, and how far
// any pixel, those at the border included, is from the centre.
Json constant_regions(Model& model) {
  constexpr int64_t side = 128;
  const int64_t depth = model.network.graph().channels(0);
  Json regions = Json::array();
  for (const double hu : {-1000.0, -850.0, -500.0, -100.0, 0.0, 50.0, 300.0, 1000.0, 2000.0}) {
    const at::Tensor enhanced = enhance_slice(model, at::full({depth, side, side}, hu, at::kFloat));
    const double centre = enhanced[side / 2][side / 2].item<double>();
    regions.push_back({{"hu", hu},
                       {"error_hu", centre - hu},
                       {"uneven_hu", (enhanced - centre).abs().max().item<double>()}});
  }
  return regions;
}

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
  Json json = {{"steps", result.steps},
               {"epochs", configuration.train.epochs},
               {"seconds", result.seconds},
               {"configuration", configuration.resolved()}};
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
    for (const Judged& other : quality->others) json["others"][other.name] = to_json(other.quality);
    if (!quality->tissue_bias.empty()) json["tissue_bias"] = quality->tissue_bias;
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

// The slices to learn from and those to validate on.
Division open_division(const TrainingConfiguration& configuration, const Console& console) {
  std::unique_ptr<PairedSlices> training = open_pairs(configuration.train_data, console);
  const Json& wanted = configuration.validation_data;
  if (wanted.is_boolean() && !wanted.get<bool>()) return {std::move(training), nullptr};
  if (!wanted.is_null()) return {std::move(training), open_pairs(wanted, console)};
  const int64_t all = training->count();
  Division division = hold_out(std::move(training), configuration.graph().channels(0));
  console.note(
      division.validation
          ? fmt::format("{} of {} slices are held out for validation (data.validation = false: none)",
                        division.validation->count(), all)
          : fmt::format("no slices for validation: {} are too few to hold some out", all));
  return division;
}

void warn_of_short_training(int64_t steps, int64_t slices, const TrainingJob& job, const Console& console) {
  if (!job.ranks.leads() || (steps >= kFewSteps && slices >= kFewSlices)) return;
  console.warn(
      fmt::format("this training has {} steps on {} slices; below {} steps and {} slices the result may be "
                  "worse than its input",
                  steps, slices, kFewSteps, kFewSlices));
}

// The best weights of the last phase become the model's, where others came after them; those are kept beside
// it.
void take_best_weights(Model& model, const RunFolder& run, const TrainResult& result) {
  if (!result.best || !fs::exists(run.best())) return;
  model.training["best_epoch"] = result.best->epoch + 1;
  if (result.best->epoch + 1 == model.training.at("epochs").get<int64_t>()) return;
  save_model(run.last_model(), model);
  Model best = load_model(run.best());
  model.network = std::move(best.network);
  model.removed = std::move(best.removed);
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
  return job.start == Start::Fresh ? RunFolder::create(job.run, configuration)
                                   : RunFolder::resume(job.run, configuration);
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
  if (summary.json.contains("tissue_bias"))
    report.tables.push_back(bias_table(summary.json.at("tissue_bias")));
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

std::vector<Judged> rows_of(const BeforeAfter& quality) {
  std::vector<Judged> rows{{"low dose", quality.before}};
  rows.insert(rows.end(), quality.others.begin(), quality.others.end());
  rows.push_back({"enhanced", quality.after});
  return rows;
}

void require_run_outside(const fs::path& run, const std::vector<fs::path>& inputs) {
  require_outside(run, inputs, "choose another run folder (--run)");
}

TrainingSummary run_training(const TrainingJob& job, const Console& console, const StopToken& stop) {
  TrainingConfiguration configuration = training_configuration(job.architecture, job.configuration);
  require_run_outside(job.run, configuration.files());
  const auto [training, validation] = open_division(configuration, console);

  complete(configuration, *training, console);
  Model model{Network(configuration.graph(), configuration.train.seed),
              configuration.intensity,
              job.name,
              {},
              version(),
              std::nullopt,
              reflected_border(configuration.train.margin)};
  require_prunable(model.network, configuration.train);
  const c10::Device device = device_options(job.device).device();
  const c10::DeviceGuard here(device);
  model.network.to(device);
  tell_of_slow_precision(configuration.train.precision, device, console);
  require_same_everywhere(job.ranks, configuration, *training, validation.get());
  if (job.ranks.size() > 1) console.note(fmt::format("training in {} ranks", job.ranks.size()));
  const auto task = supervised(*training, validation.get(), configuration.intensity, configuration.train,
                               model.network, console, job.ranks);
  warn_of_short_training(configuration.train.epochs * task->steps_per_epoch(), training->count(), job,
                         console);
  const Start start = begins_anew(job) ? Start::Fresh : job.start;
  RunFolder run = open_run(job, configuration.resolved());
  const auto write_model = [&](const fs::path& path, const Network& network,
                               const std::optional<Shrinking>& removed) {
    save_model(path, Model{network,
                           model.intensity,
                           job.name,
                           {{"configuration", configuration.resolved()}},
                           version(),
                           removed,
                           model.border});
  };
  TrainingSummary summary;
  summary.result =
      train(model.network, *task, configuration.train, run, start, console, stop, job.ranks, write_model);
  if (!summary.result.finished || !job.ranks.leads()) return summary;

  model.removed = summary.result.removed;
  model.training = how_trained(configuration, summary.result);
  take_best_weights(model, run, summary.result);
  save_model(run.model(), model);
  std::vector<ReportPicture> pictures;
  if (validation) summary.quality = compare(model, *validation, run.path(), console, pictures);
  if (summary.quality && job.total_variation)
    summary.quality->others.push_back(judge_total_variation(*validation, quality_window(model.intensity)));
  if (summary.quality && fs::exists(run.dense_model()))
    summary.quality->others.push_back(judge_dense(run.dense_model(), *validation));
  summary.json = summary_json(model, configuration, summary.result, summary.quality, job.ranks);
  if (model.intensity.units == Units::HU) summary.json["constant_regions"] = constant_regions(model);
  const std::vector<Json> metrics = run.metrics();
  summary.json["pruning"] = pruning_summary(metrics);
  write_report(run.path(), report(job, configuration, summary, metrics, std::move(pictures)));
  write_file(run.path() / "summary.json", summary.json.dump(2) + "\n");
  return summary;
}

}  // namespace lucivox
