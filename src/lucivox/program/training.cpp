#include <c10/core/DeviceGuard.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/device.h>
#include <lucivox/program/executor.h>
#include <lucivox/program/pruning_report.h>
#include <lucivox/program/training.h>
#include <lucivox/program/training_report.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/train/schedule.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/watch.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

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
               {"parameters", model.weights.graph().parameter_count()},
               {"sparsity", result.sparsity},
               {"steps", result.steps},
               {"training_seconds", result.seconds},
               {"skipped_steps", result.skipped},
               {"peak_memory", result.peak_memory},
               {"threads", threads()},
               {"ranks", ranks.size()}};
  if (quality) {
    json["slices"] = quality->slices;
    json["before"] = fields_json(quality->before);
    json["after"] = fields_json(quality->after);
    for (const Judged& other : quality->others) json["others"][other.name] = fields_json(other.quality);
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

// A run that was killed before its first checkpoint is resumed at its beginning.
bool begins_anew(const TrainingJob& job) {
  return job.start == Start::Resume && RunFolder::is_run(job.run) &&
         !fs::exists(RunFolder::checkpoint_of(job.run));
}

// What "auto" means in a run that is resumed was decided when it began.
std::optional<double> recorded_freezing(const TrainingJob& job) {
  if (job.start != Start::Resume || begins_anew(job) || !RunFolder::is_run(job.run)) return std::nullopt;
  const Json recorded = RunFolder::configuration_of(job.run).at("train").value("freeze_norms_after", Json());
  return recorded.is_number() ? std::optional(recorded.get<double>()) : std::nullopt;
}

// In epochs, so that a run that is resumed for more of them stays frozen. Rank 0 decides: it has the run.
void resolve_freezing(TrainingConfiguration& configuration, int64_t steps_per_epoch, const TrainingJob& job) {
  TrainOptions& options = configuration.train;
  if (options.freeze_norms_after != kFreezeEarly || configuration.graph().uses_batch_statistics()) return;
  const double from_data =
      static_cast<double>(*freezing_step(options, steps_per_epoch)) / static_cast<double>(steps_per_epoch);
  const Json mine = recorded_freezing(job).value_or(from_data);
  options.freeze_norms_after = Json::parse(job.ranks.gather(mine.dump()).front()).get<double>();
}

void warn_of_short_training(int64_t steps, int64_t slices, const TrainingJob& job, Reporter& reporter) {
  if (!job.ranks.leads() || (steps >= kFewSteps && slices >= kFewSlices)) return;
  reporter.warn(
      fmt::format("this training has {} steps on {} slices; below {} steps and {} slices the result may be "
                  "worse than its input",
                  steps, slices, kFewSteps, kFewSlices));
}

// The best weights of the last phase become the model's, where others came after them; those are kept beside
// it.
void take_best_weights(Model& model, const RunFolder& run, const TrainResult& result) {
  if (!result.best || !fs::exists(run.best())) return;
  const bool others_followed = result.best->epoch + 1 < model.training.at("epochs").get<int64_t>();
  if (others_followed) save_model(run.last_model(), model);
  model.training["best_epoch"] = result.best->epoch + 1;
  if (!others_followed) {
    fs::remove(run.last_model());  // of an earlier end of this run
    return;
  }
  Model best = load_model(run.best());
  best.weights.to(model.weights.device());
  model.weights = std::move(best.weights);
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
void require_prunable(const Weights& weights, const TrainOptions& options) {
  const PruningOptions& pruning = options.sparsity.pruning;
  if (pruning.criterion != "magnitude-global") pruning_masks(weights, pruning, options.seed);
}

void note_slow_precision(const std::string& precision, c10::Device device, Reporter& reporter) {
  if (device.is_cpu() && precision != "fp32" && !has_half_precision())
    reporter.note(fmt::format("{} only rounds here: this processor computes in fp32, which alone is faster",
                              precision));
}

RunFolder open_run(const TrainingJob& job, const Json& configuration) {
  if (!job.ranks.leads()) return RunFolder::watch(job.run);
  if (begins_anew(job)) return RunFolder::restart(job.run, configuration);
  return job.start == Start::Fresh ? RunFolder::create(job.run, configuration)
                                   : RunFolder::resume(job.run, configuration);
}

}  // namespace

void require_run_outside(const fs::path& run, const std::vector<fs::path>& inputs) {
  require_outside(run, inputs, "choose another run folder (--run)");
}

TrainingSummary run_training(const TrainingJob& job, Reporter& reporter, const StopToken& stop) {
  TrainingConfiguration configuration = training_configuration(training_of(job.network), job.configuration);
  require_run_outside(job.run, configuration.files());
  const auto [training, validation] = open_division(configuration, reporter);

  complete(configuration, *training, reporter);
  Model model{Weights(configuration.graph(), configuration.train.seed),
              configuration.intensity,
              job.name,
              {},
              version(),
              std::nullopt,
              border_in_use(configuration.train.margin)};
  require_prunable(model.weights, configuration.train);
  const c10::Device device = device_options(job.device).device();
  const c10::DeviceGuard here(device);
  model.weights.to(device);
  Network network(model.weights.share());
  note_slow_precision(configuration.train.precision, device, reporter);
  note_slow_executor(network.graph(), device, reporter);
  require_same_everywhere(job.ranks, configuration, *training, validation.get());
  if (job.ranks.size() > 1) reporter.note(fmt::format("training in {} ranks", job.ranks.size()));
  const auto task = supervised(*training, validation.get(), configuration.intensity, configuration.train,
                               network, reporter, job.ranks);
  const int64_t steps_per_epoch = task->steps_per_epoch();
  resolve_freezing(configuration, steps_per_epoch, job);
  warn_of_short_training(configuration.train.epochs * steps_per_epoch, training->count(), job, reporter);
  const Start start = begins_anew(job) ? Start::Fresh : job.start;
  RunFolder run = open_run(job, configuration.resolved());
  const auto write_model = [&](const fs::path& path, const Weights& weights,
                               const std::optional<Shrinking>& removed) {
    save_model(path, Model{weights.share(),
                           model.intensity,
                           job.name,
                           {{"configuration", configuration.resolved()}},
                           version(),
                           removed,
                           model.border});
  };
  TrainingSummary summary;
  summary.result =
      train(network, *task, configuration.train, run, start, reporter, stop, job.ranks, write_model);
  if (!summary.result.finished || !job.ranks.leads()) return summary;

  model.weights = std::move(network.weights());
  model.removed = summary.result.removed;
  model.training = how_trained(configuration, summary.result);
  take_best_weights(model, run, summary.result);
  save_model(run.model(), model);
  std::vector<ReportPicture> pictures;
  if (validation) summary.quality = compare(model, *validation, run.path(), reporter, pictures);
  if (summary.quality && job.total_variation)
    summary.quality->others.push_back(judge_total_variation(*validation, quality_window(model.intensity)));
  if (summary.quality && fs::exists(run.dense_model()))
    summary.quality->others.push_back(judge_dense(run.dense_model(), *validation, device));
  summary.json = summary_json(model, configuration, summary.result, summary.quality, job.ranks);
  if (model.intensity.units == Units::HU) summary.json["constant_regions"] = constant_regions(model);
  const RunRecords records = run.records();
  summary.json["pruning"] = pruning_summary(records);
  write_report(run.path(), training_report(job, configuration, summary, records, std::move(pictures)));
  write_file(run.path() / "summary.json", summary.json.dump(2) + "\n");
  return summary;
}

}  // namespace lucivox