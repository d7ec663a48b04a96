#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/text.h>
#include <lucivox/sparse/structured.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/checkpoint.h>
#include <lucivox/train/trainer.h>

namespace lucivox {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Json to_json(const Validation& validation) {
  Json json = to_json(validation.quality);
  json["loss"] = validation.loss;
  return json;
}

class Trainer {
 public:
  Trainer(Network& network, TrainingTask& task, const TrainOptions& options, RunFolder& run,
          const Console& console, const StopToken& stop)
      : network_(network),
        task_(task),
        options_(options),
        run_(run),
        console_(console),
        stop_(stop),
        adam_(network) {}

  TrainResult run(Start start) {
    if (start == Start::Resume) resume();
    sitting_ = last_save_ = Clock::now();
    earlier_seconds_ = state_.position.seconds;
    while (state_.position.epoch < options_.epochs) {
      if (!run_epoch()) {
        save();
        console_.note(fmt::format("stopped after {} steps; go on with --resume", done()));
        return result(false);
      }
      end_epoch();
    }
    return result(true);
  }

 private:
  bool sparse_phase() const {
    return options_.sparsity.criterion != "none" && state_.position.epoch >= options_.sparsity.dense_epochs;
  }
  double learning_rate() const {
    return options_.learning_rate * std::pow(options_.decay, static_cast<double>(state_.position.epoch));
  }
  int64_t done() const { return state_.position.epoch * task_.steps_per_epoch() + state_.position.step; }

  void resume() {
    state_ = load_checkpoint(run_.checkpoint(), network_, adam_, options_, task_.data());
    run_.forget_after(done());
    console_.note(
        fmt::format("resuming after epoch {}, step {}", state_.position.epoch, state_.position.step));
  }

  // False when asked to stop before the epoch's end.
  bool run_epoch() {
    if (sparse_phase() && state_.masks.empty()) prune();
    const int64_t steps = task_.steps_per_epoch();
    Progress progress(console_,
                      fmt::format("epoch {}/{} {}", state_.position.epoch + 1, options_.epochs, phase()),
                      steps, "steps");
    for (int64_t skipped = 0; skipped < state_.position.step; ++skipped) progress.advance();
    while (state_.position.step < steps) {
      if (stop_.stop_requested()) return false;
      const double loss = step();
      progress.advance(fmt::format("loss {:.5f}", loss));
      if (seconds_since(last_save_) > 60 * options_.checkpoint_minutes) save();
    }
    return true;
  }

  double step() {
    const auto start = Clock::now();
    adam_.clear_gradients();
    const double loss = task_.gradients(network_, state_.position.epoch, state_.position.step);
    if (!std::isfinite(loss)) {
      throw Error(fmt::format("the loss became {} in step {}", loss, done() + 1),
                  "lower the learning rate; the last checkpoint is unharmed");
    }
    mask_gradients(state_.masks, network_);
    adam_.step(learning_rate());
    ++state_.position.step;
    state_.position.loss_sum += loss;
    run_.record({{"kind", "step"},
                 {"step", done()},
                 {"epoch", state_.position.epoch},
                 {"loss", loss},
                 {"learning_rate", learning_rate()},
                 {"seconds", seconds_since(start)}});
    return loss;
  }

  // The hybrid schedule's switch: smallest filters out, and the optimiser forgets them.
  void prune() {
    state_.masks = structured_masks(network_, options_.sparsity.amount);
    apply_masks(state_.masks, network_);
    adam_.apply(state_.masks);
    const std::string text =
        fmt::format("pruned {:.1f} % of the convolution weights ({:.0f} % of the free filters)",
                    100 * sparsity(state_.masks, network_), 100 * options_.sparsity.amount);
    console_.note(text);
    run_.record({{"kind", "event"}, {"step", done()}, {"text", text}});
  }

  void end_epoch() {
    validation_ = task_.validate(network_);
    Json line = {{"kind", "epoch"},
                 {"step", done()},
                 {"epoch", state_.position.epoch},
                 {"phase", phase()},
                 {"loss", state_.position.loss_sum / static_cast<double>(task_.steps_per_epoch())},
                 {"learning_rate", learning_rate()},
                 {"seconds", seconds()},
                 {"sparsity", sparsity(state_.masks, network_)}};
    if (validation_) line["validation"] = to_json(*validation_);
    run_.record(line);
    console_.note(epoch_summary(line));
    ++state_.position.epoch;
    state_.position.step = 0;
    state_.position.loss_sum = 0;
    save();
  }

  std::string epoch_summary(const Json& line) const {
    std::string text =
        fmt::format("epoch {}: loss {:.5f}", state_.position.epoch + 1, line.at("loss").get<double>());
    if (validation_) {
      text += fmt::format(", validation loss {:.5f}, PSNR {:.2f} dB, SSIM {:.4f}, MS-SSIM {:.4f}",
                          validation_->loss, validation_->quality.psnr, validation_->quality.ssim,
                          validation_->quality.ms_ssim);
    }
    return text;
  }

  void save() {
    state_.position.seconds = seconds();
    save_checkpoint(run_.checkpoint(), state_, network_, adam_, options_, task_.data());
    last_save_ = Clock::now();
  }

  TrainResult result(bool finished) const { return {finished, state_.masks, done(), seconds(), validation_}; }

  std::string phase() const { return sparse_phase() ? "sparse" : "dense"; }
  double seconds() const { return earlier_seconds_ + seconds_since(sitting_); }

  Network& network_;
  TrainingTask& task_;
  const TrainOptions& options_;
  RunFolder& run_;
  const Console& console_;
  const StopToken& stop_;
  Adam adam_;
  Checkpoint state_;
  Clock::time_point sitting_, last_save_;
  double earlier_seconds_ = 0;
  std::optional<Validation> validation_;
};

}  // namespace

TrainResult train(Network& network, TrainingTask& task, const TrainOptions& options, RunFolder& run,
                  Start start, const Console& console, const StopToken& stop) {
  return Trainer(network, task, options, run, console, stop).run(start);
}

}  // namespace lucivox
