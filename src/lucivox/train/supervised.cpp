#include <algorithm>

#include <fmt/format.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/supervised.h>

namespace lucivox {
namespace {

class Supervised final : public TrainingTask {
 public:
  Supervised(PairedSlices& training, PairedSlices* validation, const IntensityMapping& intensity,
             const TrainOptions& options, const Network& network, const Ranks& ranks, const Console& console)
      : training_(training),
        validation_(validation),
        intensity_(intensity),
        options_(options),
        multiple_(network.graph().size_multiple()),
        ranks_(ranks) {
    require_sound_batch();
    for (int64_t i = 0; i < training_.count(); ++i) require_large_enough(i);
    loader_ = open_loader({training, intensity, options, multiple_, network.device(), ranks}, console);
  }

  int64_t steps_per_epoch() const override { return training_.count() / options_.batch; }

  std::vector<at::Tensor> batch(int64_t epoch, int64_t step) override {
    const Batch batch = loader_->batch(epoch, step);
    return {batch.low, batch.full};
  }

  at::Tensor loss(Network& network, const std::vector<at::Tensor>& batch, Mode mode) override {
    return ddnet_loss(network.forward(batch[0], mode), batch[1], options_.loss).total;
  }

  // Ranks take turns; all get the means over all slices.
  std::optional<Validation> validate(Network& network) override {
    if (validation_ == nullptr) return std::nullopt;
    const torch::NoGradGuard no_grad;
    const at::Tensor rows = torch::zeros({validation_->count(), 6}, at::kDouble);
    for (int64_t i = ranks_.rank(); i < validation_->count(); i += ranks_.size()) {
      const Validation of = validate(network, i);
      const Quality& q = of.quality;
      rows[i].copy_(torch::tensor({of.loss, q.mse, q.psnr, q.ssim, q.ms_ssim, q.rmse}, at::kDouble));
    }
    const at::Tensor shared = rows.to(network.device());
    ranks_.sum(shared);
    const at::Tensor mean = shared.mean(0).cpu();
    const auto of = [&](int64_t column) { return mean[column].item<double>(); };
    return Validation{of(0), {.mse = of(1), .psnr = of(2), .ssim = of(3), .ms_ssim = of(4), .rmse = of(5)}};
  }

  std::string data() const override { return fingerprint(training_); }
  const Transfers& moved() const override { return loader_->moved(); }

 private:
  void require_sound_batch() const {
    if (training_.count() < options_.batch) {
      throw Error(fmt::format("{} slices are fewer than one batch of {}", training_.count(), options_.batch),
                  "choose a smaller batch");
    }
    if (options_.batch % ranks_.size() != 0) {
      throw Error::misuse(
          fmt::format("a batch of {} cannot be shared by {} ranks", options_.batch, ranks_.size()),
          "set train.batch, that of all ranks together, to a multiple of the ranks");
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
                  options_.crop > 0 ? "choose a smaller crop" : "use larger slices");
    }
    if (options_.batch > 1 && options_.crop == 0 && training_.shape(index) != training_.shape(0)) {
      throw Error(fmt::format("{} differs in size from {}", training_.name(index), training_.name(0)),
                  "train with a crop, or with a batch of 1");
    }
  }

  Validation validate(Network& network, int64_t slice) {
    const Batch whole = in_unit_range(validation_->read(slice), intensity_);
    const Sample middle = middle_of(slice, validation_->shape(slice), multiple_);
    const at::Tensor low = cut(whole.low, middle).to(network.device()),
                     full = cut(whole.full, middle).to(network.device());
    const at::Tensor enhanced = network.forward(low, Mode::Evaluation);
    return {ddnet_loss(enhanced, full, options_.loss).total.item<double>(),
            quality(enhanced.squeeze(), full.squeeze(), {0, 1})};
  }

  PairedSlices& training_;
  PairedSlices* validation_;
  const IntensityMapping intensity_;
  const TrainOptions options_;
  const int64_t multiple_;
  const Ranks ranks_;
  std::unique_ptr<Loader> loader_;
};

}  // namespace

std::unique_ptr<TrainingTask> supervised(PairedSlices& training, PairedSlices* validation,
                                         const IntensityMapping& intensity, const TrainOptions& options,
                                         const Network& network, const Console& console, const Ranks& ranks) {
  return std::make_unique<Supervised>(training, validation, intensity, options, network, ranks, console);
}

}  // namespace lucivox
