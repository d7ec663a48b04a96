#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/base/text.h>
#include <lucivox/sparse/shrink.h>
#include <lucivox/train/checkpoint.h>
#include <lucivox/train/histogram.h>
#include <lucivox/train/learner.h>
#include <lucivox/train/memory_use.h>
#include <lucivox/train/precision.h>
#include <lucivox/train/schedule.h>
#include <lucivox/train/trainer.h>
#include <lucivox/train/watch.h>

namespace lucivox {
namespace {

constexpr uint64_t kPruningSeed = 3;  // part of the run's seed; a task has the parts before (supervised.cpp)

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::optional<ValidationRecord> record_of(const std::optional<Validation>& validation) {
  if (!validation) return std::nullopt;
  return ValidationRecord{validation->quality, validation->loss};
}

// What both keep: a weight that was pruned stays pruned.
Masks both(Masks masks, const Masks& more) {
  for (const auto& [name, mask] : more) {
    const auto mine =
        std::find_if(masks.begin(), masks.end(), [&n = name](const auto& entry) { return entry.first == n; });
    if (mine == masks.end()) {
      masks.emplace_back(name, mask);
    } else {
      mine->second = mine->second * mask;
    }
  }
  return masks;
}

class Trainer {
 public:
  Trainer(Network& network, TrainingTask& task, const TrainOptions& options, RunFolder& run,
          Reporter& reporter, const StopToken& stop, const Ranks& ranks, const ModelWriter& write_model)
      : network_(network),
        task_(task),
        options_(options),
        run_(run),
        reporter_(reporter),
        stop_(stop),
        ranks_(ranks),
        write_model_(write_model),
        learner_(
            network, [this](const auto& batch, Mode mode) { return task_.loss(network_, batch, mode); },
            options, ranks),
        freezing_step_(network.graph().uses_batch_statistics()
                           ? std::nullopt
                           : freezing_step(options, task.steps_per_epoch())),
        watch_(options.epochs, freezing_step_) {
    prepare(network_);
    if (task.opponent() != nullptr) meet(*task.opponent());
  }

  TrainResult run(Start start) {
    begin(start);
    forget_peak_memory(network_.weights().device());
    sitting_ = last_save_ = Clock::now();
    earlier_seconds_ = state_.position.seconds;
    const bool had_ended = state_.position.epoch >= options_.epochs;
    while (state_.position.epoch < options_.epochs) {
      if (!run_epoch()) {
        save(run_.checkpoint());
        reporter_.note(fmt::format("stopped after {} steps; go on with --resume", done()));
        return result(false);
      }
      end_epoch();
    }
    if (!had_ended && validation_)
      warn(worse_than_input(state_.best ? state_.best->validation : *validation_, baseline_, done()));
    return result(true);
  }

 private:
  double learning_rate() const {
    const auto& [epoch, step] = std::pair(state_.position.epoch, state_.position.step);
    const double part = static_cast<double>(step) / static_cast<double>(task_.steps_per_epoch());
    return learning_rate_at(static_cast<double>(epoch) + part, state_.switched, options_) *
           warmth_after_freezing(done(), freezing_step_, options_.epochs * task_.steps_per_epoch());
  }
  int64_t done() const { return state_.position.epoch * task_.steps_per_epoch() + state_.position.step; }

  // How any network is computed here, whole or shrunk.
  void prepare(Network& network) {
    compute_in(options_.precision, network);
    network.share_statistics(
        {ranks_.size(), [ranks = ranks_](const at::Tensor& values) { ranks.sum(values); }});
  }

  void meet(Opponent& opponent) {
    prepare(opponent.network());
    opponent_.emplace(
        opponent.network(),
        [this, &opponent](const auto& batch, Mode mode) { return opponent.loss(network_, batch, mode); },
        options_, ranks_);
  }
  Learner* opponent() { return opponent_ ? &*opponent_ : nullptr; }

  void begin(Start start) {
    if (start == Start::Resume) resume();
    baseline_ = task_.baseline();
    watch_.begin(baseline_);
    if (start == Start::Resume) catch_up();
    if (!baseline_) return;
    reporter_.note("low dose: " + validation_text(*baseline_, std::nullopt));
    if (start == Start::Fresh) run_.record(BaselineRecord{.validation = *record_of(baseline_)});
  }

  // Watches the recorded epochs of earlier sittings, so that nothing is warned of twice.
  void catch_up() {
    std::optional<Switch> switched;
    for (const RunRecord& record : run_.records()) {
      if (const auto* pruning = std::get_if<PruningRecord>(&record)) {
        if (!switched) switched = Switch{pruning->epoch, {}};
        watch_.begin_phase();
      }
      const auto* epoch = std::get_if<EpochRecord>(&record);
      if (epoch == nullptr) continue;
      std::optional<Validation> validation;
      if (epoch->validation && judged(epoch->epoch, switched))
        validation = Validation{epoch->validation->loss, *epoch->validation};
      watch_.after(epoch->epoch, epoch->step, epoch->loss, validation);
      if (epoch->opponent_loss) warns_of_opponent(*epoch->opponent_loss);
    }
  }

  void resume() {
    state_ = load_checkpoint(run_.checkpoint(), learner_, opponent(), course_of(options_, task_));
    hold_masks();
    if (state_.removed) go_on_without(*state_.removed);
    run_.forget_after(done());
    reporter_.note(
        fmt::format("resuming after epoch {}, step {}", state_.position.epoch, state_.position.step));
  }

  // False when asked to stop before the epoch's end.
  bool run_epoch() {
    // asked before pruning, so that no checkpoint lies between it and the first step thereafter
    const at::Tensor nothing = at::zeros({}, network_.weights().device());
    if (all_heard(nothing, nothing).stop) return false;
    if (state_.position.step == 0) follow_schedule();
    const int64_t steps = task_.steps_per_epoch();
    Progress progress(reporter_,
                      fmt::format("epoch {}/{} {}", state_.position.epoch + 1, options_.epochs, phase()),
                      steps, "steps");
    for (int64_t skipped = 0; skipped < state_.position.step; ++skipped) progress.advance();
    while (state_.position.step < steps) {
      const StepEnd end = step();
      progress.advance(fmt::format("loss {:.5f}", end.loss));
      if (end.stop) return state_.position.step == steps;
      if (seconds_since(last_save_) > 60 * options_.checkpoint_minutes) save(run_.checkpoint());
    }
    return true;
  }

  // What ranks agree on after every step: the mean losses, and whether one of them was asked to stop.
  struct StepEnd {
    double loss = 0, opponent_loss = 0;
    bool stop = false;
  };
  // The only time in a step that the host waits for the device.
  StepEnd all_heard(const at::Tensor& loss, const at::Tensor& opponent_loss) const {
    const at::TensorOptions wide = loss.options().dtype(at::kDouble);
    const at::Tensor sums = at::stack(
        {loss.to(at::kDouble), opponent_loss.to(at::kDouble), at::full({}, stop_.stop_requested(), wide)});
    ranks_.sum(sums);
    const at::Tensor heard = sums.cpu();
    const double* means = heard.const_data_ptr<double>();
    const auto count = static_cast<double>(ranks_.size());
    return {means[0] / count, means[1] / count, means[2] > 0};
  }

  StepEnd step() {
    const auto start = Clock::now();
    if (done() == freezing_step_) settle_norms();
    const at::Tensor mine = learner_.step.run(task_.batch(state_.position.epoch, state_.position.step),
                                              frozen() ? Mode::Evaluation : Mode::Training, learning_rate());
    const StepEnd end = all_heard(mine, opponent_ ? opponent_turn() : at::zeros_like(mine));
    require_sound(end.loss, learner_);
    if (opponent_) require_sound(end.opponent_loss, *opponent_);
    ++state_.position.step;
    state_.position.loss_sum += end.loss;
    state_.position.opponent_loss_sum += end.opponent_loss;
    StepRecord record{.step = done(),
                      .epoch = state_.position.epoch,
                      .loss = end.loss,
                      .learning_rate = learning_rate(),
                      .seconds = seconds_since(start),
                      .opponent_loss = std::nullopt};
    if (opponent_) record.opponent_loss = end.opponent_loss;
    run_.record(record);
    reporter_.values("step", {{"loss", record.loss}, {"learning_rate", record.learning_rate}});
    return end;
  }

  // The opponent's updates of this step; gives its mean loss, on the device.
  at::Tensor opponent_turn() {
    Opponent& opponent = *task_.opponent();
    const int64_t updates = opponent.updates();
    at::Tensor sum = at::zeros({}, network_.weights().options().dtype(at::kDouble));
    for (int64_t update = 0; update < updates; ++update) {
      sum += opponent_->step.run(opponent.batch(state_.position.epoch, state_.position.step, update),
                                 Mode::Training, learning_rate());
    }
    return sum / static_cast<double>(updates);
  }

  bool frozen() const { return freezing_step_ && done() >= *freezing_step_; }

  // Before norms are frozen, their running statistics become those of many samples by the weights as they are
  // now: what followed the last few batches fits none of them. The network then computes what it just did in
  // training.
  void settle_norms() {
    constexpr int64_t pixels = 1 << 20;  // enough that chance no longer matters, and less than a GB
    std::map<std::vector<int64_t>, std::vector<at::Tensor>> by_shape;
    for (int64_t s = 0, taken = 0; s < task_.steps_per_epoch() && taken < pixels; ++s) {
      const at::Tensor input = task_.batch(state_.position.epoch, s).front();
      by_shape[input.sizes().vec()].push_back(input);
      taken += input.numel() * ranks_.size();
    }
    std::vector<at::Tensor> inputs;
    for (const auto& [shape, batches] : by_shape) inputs.push_back(at::cat(batches));
    take_statistics(network_, inputs);
    learner_.step.renew();
  }

  // In half precision a step may overflow: it was skipped, and the scale of the loss halved.
  void require_sound(double loss, const Learner& learner) const {
    const auto& scale = learner.step.scale();
    if (scale ? scale->value() >= 1 : std::isfinite(loss)) return;
    throw Error(fmt::format("the loss of {} became {} in step {}", learner.network.graph().architecture(),
                            loss, done() + 1),
                scale ? "half precision overflows again and again: use bf16, or a lower learning rate"
                      : "lower the learning rate; the last checkpoint is unharmed");
  }

  // The hybrid schedule at an epoch's start.
  void follow_schedule() {
    if (!state_.switched) {
      const auto due = switch_after(state_.losses, options_.sparsity);
      if (!due) return;
      save(run_.dense_checkpoint());
      end_dense_phase();
      state_.switched = due;
      reporter_.note(fmt::format("sparse from epoch {} on: {}", due->epoch + 1, due->reason));
    }
    const int64_t pruning = state_.position.epoch - state_.switched->epoch + 1;
    if (const auto amount = amount_at(pruning, options_.sparsity)) prune(*amount);
    if (pruning >= 1 && !state_.removed && !amount_at(pruning + 1, options_.sparsity)) shrink_network();
  }

  // From now on weights go: what is best is sought anew once they are gone.
  void end_dense_phase() {
    if (ranks_.leads() && std::filesystem::exists(run_.dense_best()))
      std::filesystem::rename(run_.dense_best(), run_.dense_model());
    state_.best.reset();
  }

  // Not while weights go little by little: the best of these would still have too many.
  bool judged() const { return judged(state_.position.epoch, state_.switched); }
  bool judged(int64_t epoch, const std::optional<Switch>& switched) const {
    return !switched || epoch - switched->epoch + 1 >= options_.sparsity.gradual_epochs;
  }

  void keep_if_best() {
    if (!validation_ || !judged() || !std::isfinite(validation_->quality.rmse)) return;
    if (state_.best && !(validation_->quality.rmse < state_.best->validation.quality.rmse)) return;
    state_.best = {state_.position.epoch, *validation_};
    const bool prunes_later = !state_.switched && options_.sparsity.pruning.criterion != "none";
    if (ranks_.leads() && write_model_)
      write_model_(prunes_later ? run_.dense_best() : run_.best(), network_.weights(), state_.removed);
  }

  // The smallest weights out, and the optimiser forgets them.
  void prune(double amount) {
    PruningOptions pruning = options_.sparsity.pruning;
    pruning.amount = amount;
    const double limit = histogram_limit(network_.weights());
    const WeightHistogram before = weight_histogram(network_.weights(), state_.masks, limit);
    state_.masks = both(state_.masks,
                        pruning_masks(network_.weights(), pruning, derive_seed(options_.seed, kPruningSeed)));
    apply_masks(state_.masks, network_.weights());
    learner_.adam.apply(state_.masks);
    hold_masks();
    watch_.begin_phase();
    const WeightHistogram after = weight_histogram(network_.weights(), state_.masks, limit);
    record_pruning(pruning, {limit, before.counts, after.counts});
  }

  // While the network is whole.
  void hold_masks() {
    learner_.held = state_.masks;
    sparsity_ = sparsity(state_.masks, network_.weights());
    learner_.step.renew();
  }

  // After the last pruning: channels that are zero for good go, so that sparse epochs cost less.
  void shrink_network() {
    Shrinking removed = removable_channels(network_.weights());
    if (shrunk_graph(removed).weight_count() == network_.graph().weight_count()) return;
    go_on_without(removed);
    state_.removed = std::move(removed);
    reporter_.note(fmt::format("a network of {} weights is left of {}", network_.graph().parameter_count(),
                               state_.removed->dense.parameter_count()));
  }

  void go_on_without(const Shrinking& removed) {
    const NamedTensors moments = shrink_optimiser(removed, learner_.adam.state());
    network_ = Network(shrink(removed, network_.weights()));
    prepare(network_);
    learner_.adam = Adam(network_.weights(), options_.beta2);
    learner_.adam.load_state(moments);
    learner_.held = shrink(removed, state_.masks);
    std::erase_if(learner_.held,
                  [](const auto& entry) { return (entry.second == 1).all().template item<bool>(); });
    learner_.step.renew();
    if (opponent_) opponent_->step.renew();  // it has recorded the network that was
  }

  // Its step is the first of the pruned network, so that resuming from before it forgets it.
  void record_pruning(const PruningOptions& pruning, const WeightsRecord& weights) {
    // what is lost before retraining brings it back (Chaturvedi et al., table 1)
    const std::optional<Validation> pruned = task_.validate(network_);
    std::string text = fmt::format("pruned {:.1f} % of the convolution weights ({}, {:.0f} %)",
                                   100 * sparsity_, pruning.criterion, 100 * pruning.amount);
    if (pruned) text += fmt::format(", {}", validation_text(*pruned, baseline_));
    run_.record(PruningRecord{.step = done() + 1,
                              .epoch = state_.position.epoch,
                              .reason = state_.switched->reason,
                              .criterion = pruning.criterion,
                              .amount = pruning.amount,
                              .sparsity = sparsity_,
                              .weights = weights,
                              .validation = record_of(pruned)});
    reporter_.note(text);
  }

  void end_epoch() {
    validation_ = task_.validate(network_);
    const double loss = state_.position.loss_sum / static_cast<double>(task_.steps_per_epoch());
    EpochRecord record{.step = done(),
                       .epoch = state_.position.epoch,
                       .phase = phase(),
                       .loss = loss,
                       .learning_rate = learning_rate(),
                       .seconds = seconds(),
                       .sparsity = sparsity_,
                       .machine = machine_record(),
                       .validation = record_of(validation_),
                       .opponent_loss = std::nullopt};
    if (opponent_) record.opponent_loss = opponent_loss();
    run_.record(record);
    if (validation_) report_values(*validation_);
    reporter_.note(epoch_summary(loss));
    keep_if_best();
    for (const std::string& warning :
         watch_.after(state_.position.epoch, done(), loss, judged() ? validation_ : std::nullopt))
      warn(warning);
    warn(learner_.step.take_warning());
    if (opponent_) {
      warn(opponent_->step.take_warning());
      warn(warns_of_opponent(opponent_loss()));
    }
    state_.losses.push_back(loss);
    ++state_.position.epoch;
    state_.position.step = 0;
    state_.position.loss_sum = state_.position.opponent_loss_sum = 0;
    save(run_.checkpoint());
  }

  // The mean over this epoch's steps.
  double opponent_loss() const {
    return state_.position.opponent_loss_sum / static_cast<double>(task_.steps_per_epoch());
  }

  // Once, when it begins.
  std::optional<std::string> warns_of_opponent(double mean_loss) {
    auto warning = task_.opponent()->warning(mean_loss);
    const bool told = std::exchange(opponent_warned_, warning.has_value());
    return told ? std::nullopt : std::move(warning);
  }

  void warn(const std::optional<std::string>& warning) {
    if (!warning || !ranks_.leads()) return;
    reporter_.warn(*warning);
    const int64_t epoch = std::min(state_.position.epoch, options_.epochs - 1);
    run_.record(WarningRecord{.step = done(), .epoch = epoch, .text = *warning});
  }

  void report_values(const Validation& validation) const {
    const Quality& quality = validation.quality;
    reporter_.values("validation", {{"loss", validation.loss},
                                    {"rmse", quality.rmse},
                                    {"psnr", quality.psnr},
                                    {"ssim", quality.ssim},
                                    {"ms_ssim", quality.ms_ssim}});
  }

  MachineRecord machine_record() const {
    Transfers moved = task_.moved();
    moved += learner_.step.moved();
    if (opponent_) moved += opponent_->step.moved();
    MachineRecord record{.peak_memory = peak_memory(network_.weights().device()),
                         .host_to_device = moved.host_to_device,
                         .device_to_device = moved.device_to_device,
                         .captures = learner_.step.captures() + (opponent_ ? opponent_->step.captures() : 0),
                         .loss_scale = std::nullopt,
                         .skipped_steps = std::nullopt};
    if (const auto& scale = learner_.step.scale()) {
      record.loss_scale = scale->value();
      record.skipped_steps = skipped();
    }
    return record;
  }

  // Updates that half precision overflowed in, the opponent's included.
  int64_t skipped() const {
    const auto of = [](const Learner& learner) {
      return learner.step.scale() ? learner.step.scale()->skipped() : 0;
    };
    return of(learner_) + (opponent_ ? of(*opponent_) : 0);
  }

  std::string epoch_summary(double loss) const {
    std::string text = fmt::format("epoch {}: loss {:.5f}", state_.position.epoch + 1, loss);
    if (opponent_) text += fmt::format(", the discriminator's {:.4f}", opponent_loss());
    return validation_ ? fmt::format("{}, {}", text, validation_text(*validation_, baseline_)) : text;
  }

  void save(const std::filesystem::path& path) {
    state_.position.seconds = seconds();
    if (ranks_.leads()) save_checkpoint(path, state_, learner_, opponent(), course_of(options_, task_));
    last_save_ = Clock::now();
  }

  TrainResult result(bool finished) const {
    return {.finished = finished,
            .masks = state_.masks,
            .sparsity = sparsity_,
            .removed = state_.removed,
            .steps = done(),
            .skipped = skipped(),
            .seconds = seconds(),
            .peak_memory = peak_memory(network_.weights().device()),
            .validation = validation_,
            .baseline = baseline_,
            .best = state_.best};
  }

  std::string phase() const { return state_.switched ? "sparse" : "dense"; }
  double seconds() const { return earlier_seconds_ + seconds_since(sitting_); }

  Network& network_;
  TrainingTask& task_;
  const TrainOptions& options_;
  RunFolder& run_;
  Reporter& reporter_;
  const StopToken& stop_;
  const Ranks ranks_;
  const ModelWriter write_model_;
  Learner learner_;
  std::optional<Learner> opponent_;
  Checkpoint state_;
  double sparsity_ = 0;  // of the whole network
  bool opponent_warned_ = false;
  Clock::time_point sitting_, last_save_;
  double earlier_seconds_ = 0;
  std::optional<Validation> validation_, baseline_;
  const std::optional<int64_t> freezing_step_;  // as done() counts
  Watch watch_;
};

}  // namespace

TrainResult train(Network& network, TrainingTask& task, const TrainOptions& options, RunFolder& run,
                  Start start, Reporter& reporter, const StopToken& stop, const Ranks& ranks,
                  const ModelWriter& write_model) {
  return Trainer(network, task, options, run, reporter, stop, ranks, write_model).run(start);
}

}  // namespace lucivox
