#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/train/adversarial.h>
#include <lucivox/train/levels.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/precision.h>
#include <lucivox/train/supervised.h>

namespace lucivox {
namespace {

constexpr uint64_t kDiscriminatorSeed = 4;  // part of the run's seed, after those of trainer.cpp

// Below, the discriminator tells every pair apart and its gradient says nothing more.
constexpr double kWon = 0.02;
// So near to the loss of one that gives all images one number.
constexpr double kBlind = 1e-3;

Network discriminator_for(const SupervisedOptions& options, c10::Device device) {
  Network network(tomogan_discriminator(options.crop), derive_seed(options.seed, kDiscriminatorSeed));
  network.weights().to(device);
  return network;
}

// This rank's share of the loader's batch number `step`, which has `size` samples in all, with other levels.
Batch batch_of(Loader& loader, const Levels& levels, int64_t epoch, int64_t step, int64_t size,
               const Ranks& ranks) {
  const int64_t first = step * size + size / ranks.size() * ranks.rank();
  return levels.changed(loader.batch(epoch, step), epoch, first);
}

// Learns to tell clean slices from enhanced ones, on batches of its own.
class Discriminator final : public Opponent {
 public:
  Discriminator(Loader& loader, const Levels& levels, const SupervisedOptions& options, const Ranks& ranks,
                c10::Device device)
      : loader_(loader),
        levels_(levels),
        ranks_(ranks),
        batch_(options.batch),
        updates_(options.loss.discriminator_updates),
        margin_(options.margin),
        network_(discriminator_for(options, device)),
        judge_(network_.weights().constants()) {
    compute_in(options.precision, judge_);
  }

  Network& network() override { return network_; }
  int64_t updates() const override { return updates_; }

  std::vector<at::Tensor> batch(int64_t epoch, int64_t step, int64_t update) override {
    const Batch batch = batch_of(loader_, levels_, epoch, step * (1 + updates_) + 1 + update, batch_, ranks_);
    return {reflected(batch.low, margin_), batch.full};
  }

  at::Tensor loss(Network& enhancing, const std::vector<at::Tensor>& batch, Mode mode) override {
    at::Tensor enhanced;
    {
      const at::NoGradGuard no_grad;
      enhanced = without_margin(enhancing.forward(batch[0], Mode::Evaluation), margin_);
    }
    const auto logits = network_.forward(at::cat({batch[1], enhanced}), mode).chunk(2);
    return discriminator_loss(logits[0], logits[1]);
  }

  // How well an enhanced batch passes for a clean one, differentiable in it alone.
  at::Tensor judgement_of(const at::Tensor& enhanced) {
    return generator_loss(judge_.forward(enhanced, Mode::Evaluation));
  }

  std::optional<std::string> warning(double mean_loss) const override {
    if (mean_loss < kWon)
      return fmt::format(
          "the discriminator tells every slice apart (loss {:.4f}) and teaches nothing more: "
          "lower train.loss.adversarial or train.loss.discriminator_updates",
          mean_loss);
    if (std::abs(mean_loss - 2 * std::numbers::ln2) < kBlind)
      return fmt::format(
          "the discriminator gives all slices one number (loss {:.4f}) and teaches nothing: "
          "start anew with another train.seed or a lower train.learning_rate",
          mean_loss);
    return std::nullopt;
  }

 private:
  Loader& loader_;
  const Levels& levels_;
  const Ranks ranks_;
  const int64_t batch_, updates_, margin_;
  Network network_;
  Network judge_;
};

class Supervised final : public TrainingTask {
 public:
  Supervised(PairedSlices& training, PairedSlices* validation, const IntensityMapping& intensity,
             const SupervisedOptions& options, const Network& network, const Ranks& ranks, Reporter& reporter)
      : training_(training),
        validation_(validation),
        intensity_(intensity),
        options_(options),
        levels_(options, intensity),
        multiple_(network.graph().size_multiple()),
        depth_(network.graph().channels(0)),
        device_(network.weights().device()),
        ranks_(ranks) {
    require_sound_batch();
    for (int64_t i = 0; i < training_.count(); ++i) require_large_enough(i);
    if (options.loss.perceptual.wanted())
      perception_.emplace(options.loss.perceptual, network.weights().device());
    loader_ = open_loader(
        {training, intensity, options, multiple_, network.weights().device(), ranks, depth_}, reporter);
    if (options.loss.adversarial > 0)
      discriminator_.emplace(*loader_, levels_, options, ranks, network.weights().device());
  }

  int64_t steps_per_epoch() const override {
    return training_.count() / (options_.batch * batches_per_step());
  }

  std::vector<at::Tensor> batch(int64_t epoch, int64_t step) override {
    const Batch batch = batch_of(*loader_, levels_, epoch, step * batches_per_step(), options_.batch, ranks_);
    return {reflected(batch.low, options_.margin), batch.full};
  }

  at::Tensor loss(Network& network, const std::vector<at::Tensor>& batch, Mode mode) override {
    const at::Tensor output = without_margin(network.forward(batch[0], mode), options_.margin);
    at::Tensor total = image_loss(output, batch[1], options_.loss).total;
    if (perception_) total = total + perception_->loss(output, batch[1]);
    if (discriminator_) total = total + options_.loss.adversarial * discriminator_->judgement_of(output);
    return total;
  }

  Opponent* opponent() override { return discriminator_ ? &*discriminator_ : nullptr; }

  std::optional<Validation> validate(Network& network) override {
    const int64_t margin = border_in_use(options_.margin).margin;
    return over_all_slices([&](const at::Tensor& low) {
      return without_margin(network.forward(reflected(low, margin), Mode::Evaluation), margin);
    });
  }

  std::optional<Validation> baseline() override {
    return over_all_slices([&](const at::Tensor& low) { return low.narrow(1, depth_ / 2, 1); });
  }

  Json options() const override {
    FieldWriter writer(Fields::Decisive);
    SupervisedOptions::own_fields(options_, writer);
    return writer.json();
  }
  std::string data() const override { return fingerprint(training_); }
  const Transfers& moved() const override { return loader_->moved(); }

 private:
  // Every update has a batch of its own.
  int64_t batches_per_step() const {
    return options_.loss.adversarial > 0 ? 1 + options_.loss.discriminator_updates : 1;
  }

  void require_sound_batch() const {
    if (training_.count() < options_.batch * batches_per_step()) {
      throw Error(
          fmt::format("{} slices are fewer than {} of {}", training_.count(),
                      batches_per_step() == 1 ? "one batch"
                                              : fmt::format("the {} batches of a step", batches_per_step()),
                      options_.batch),
          "choose a smaller batch");
    }
    if (options_.batch % ranks_.size() != 0) {
      throw Error::misuse(
          fmt::format("a batch of {} cannot be shared by {} ranks", options_.batch, ranks_.size()),
          "set train.batch, that of all ranks together, to a multiple of the ranks");
    }
    if (options_.margin % multiple_ != 0) {
      throw Error::misuse(fmt::format("train.margin must be a multiple of {} for this network, but is {}",
                                      multiple_, options_.margin),
                          "its coarse pixels then lie as in a slice without a margin");
    }
    if (options_.vary_levels > 0 && depth_ > 1) {
      throw Error::misuse("train.vary_levels is for networks that read a single slice",
                          "leave it out, or set it to 0");
    }
    if (options_.crop % multiple_ != 0) {
      throw Error::misuse(fmt::format("crops of {} pixels", options_.crop),
                          fmt::format("use a multiple of {}", multiple_));
    }
  }

  void require_large_enough(int64_t index) const {
    const auto [rows, columns] = training_.shape(index);
    const int64_t needed = std::max(options_.crop, multiple_);
    if (std::min(rows, columns) < needed) {
      throw Error(fmt::format("{} has {}x{} pixels, training needs at least {}x{}", training_.name(index),
                              rows, columns, needed, needed),
                  options_.crop > 0 ? "set a smaller train.crop" : "use larger slices");
    }
    if (training_.stack_of(index).count < depth_) {
      throw Error(fmt::format("the network reads {} adjacent slices, the stack of {} has {}", depth_,
                              training_.name(index), training_.stack_of(index).count),
                  "choose a smaller network.depth");
    }
    if (options_.batch > 1 && options_.crop == 0 && training_.shape(index) != training_.shape(0)) {
      throw Error(fmt::format("{} differs in size from {}", training_.name(index), training_.name(0)),
                  "train with a crop, or with a batch of 1");
    }
  }

  // From slices in unit range, as the network reads them without a margin, to the enhanced one.
  using Enhancing = std::function<at::Tensor(const at::Tensor& low)>;

  // Ranks take turns; all get the means over all slices.
  std::optional<Validation> over_all_slices(const Enhancing& enhance) {
    if (validation_ == nullptr) return std::nullopt;
    const at::NoGradGuard no_grad;
    const at::Tensor rows = at::zeros({validation_->count(), 7}, at::kDouble);
    for (int64_t i = ranks_.rank(); i < validation_->count(); i += ranks_.size()) {
      const Validation of = judge(enhance, i);
      const Quality& q = of.quality;
      rows[i].copy_(at::tensor({of.loss, q.mse, q.psnr, q.ssim, q.ms_ssim, q.rmse, q.bias}, at::kDouble));
    }
    const at::Tensor shared = rows.to(device_);
    ranks_.sum(shared);
    const at::Tensor mean = shared.mean(0).cpu();
    const auto of = [&](int64_t column) { return mean[column].item<double>(); };
    return Validation{
        of(0),
        {.mse = of(1), .psnr = of(2), .ssim = of(3), .ms_ssim = of(4), .rmse = of(5), .bias = of(6)},
        intensity_.units};
  }

  Validation judge(const Enhancing& enhance, int64_t slice) {
    const Batch whole = read_whole(*validation_, slice, depth_, intensity_);
    const Sample middle = middle_of(slice, validation_->shape(slice), multiple_);
    const at::Tensor low = cut(whole.low, middle).to(device_), full = cut(whole.full, middle).to(device_);
    const at::Tensor enhanced = enhance(low);
    const AppliedMapping mapping =
        apply_mapping(intensity_, validation_->read(slice).low.unsqueeze(0).unsqueeze(0));
    const auto physical = [&](const at::Tensor& unit) {
      return mapping.from_unit(unit.cpu()).squeeze(0).squeeze(0);
    };
    return {image_loss(enhanced, full, options_.loss).total.item<double>(),
            quality(physical(enhanced), physical(full), quality_window(intensity_)), intensity_.units};
  }

  PairedSlices& training_;
  PairedSlices* validation_;
  const IntensityMapping intensity_;
  const SupervisedOptions options_;
  const Levels levels_;
  const int64_t multiple_, depth_;
  const c10::Device device_;
  const Ranks ranks_;
  std::unique_ptr<Loader> loader_;
  std::optional<Perception> perception_;
  std::optional<Discriminator> discriminator_;
};

}  // namespace

QualityWindow quality_window(const IntensityMapping& intensity) {
  return intensity.units == Units::HU ? QualityWindow{} : QualityWindow{intensity.low, intensity.high};
}

std::unique_ptr<TrainingTask> supervised(PairedSlices& training, PairedSlices* validation,
                                         const IntensityMapping& intensity, const SupervisedOptions& options,
                                         const Network& network, Reporter& reporter, const Ranks& ranks) {
  return std::make_unique<Supervised>(training, validation, intensity, options, network, ranks, reporter);
}

}  // namespace lucivox
