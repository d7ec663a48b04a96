#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <lucivox/train/watch.h>

namespace lucivox {
namespace {

// An epoch's mean loss scatters by some tens of percent with the slices that happened to be drawn, and a
// single step of a small batch may make it many times as high; the next epochs mend that, unless it diverges.
// (Two in a row were 3.4 times too high in a training of 24 steps an epoch that ended well.)
constexpr double kRisen = 3;
constexpr int64_t kRisenEpochs = 3;
// After so many epochs in a row whose slices come out worse something is wrong. A sound training may have a
// bad one, and so may one that has just pruned.
constexpr int64_t kWorseEpochs = 2;
// Where frozen statistics fit, one epoch brings RMSE below what it was with live ones. (A few steps may not:
// right after freezing it still jumps as it did before.)
constexpr double kJumped = 1.5;
// The part of a training after which it should be better than its input. Before, at high learning rates,
// whole slices at wrong levels may be hundreds of HU off for epochs: in five trainings of 2000 steps by the
// default recipe, which ended at 26 HU, until 0.26 to 0.45 of them.
constexpr double kLearning = 0.5;

std::string with_unit(double rmse, Units units) {
  return units == Units::HU ? fmt::format("{:.1f} HU", rmse) : fmt::format("{:.4g}", rmse);
}

}  // namespace

std::string validation_text(const Validation& v, const std::optional<Validation>& baseline) {
  const auto of_low = [&](const std::string& value) {
    return baseline ? fmt::format(" (low dose {})", value) : std::string();
  };
  return fmt::format(
      "RMSE {}{}, PSNR {:.2f} dB{}, SSIM {:.4f}{}, MS-SSIM {:.4f}", with_unit(v.quality.rmse, v.units),
      of_low(baseline ? with_unit(baseline->quality.rmse, v.units) : ""), v.quality.psnr,
      of_low(baseline ? fmt::format("{:.2f}", baseline->quality.psnr) : ""), v.quality.ssim,
      of_low(baseline ? fmt::format("{:.4f}", baseline->quality.ssim) : ""), v.quality.ms_ssim);
}

void Watch::begin_phase() {
  lowest_loss_.reset();
  risen_epochs_ = 0;
  live_rmse_.reset();
  worse_epochs_ = 0;
}

bool Watch::begins(bool& lasts, bool now) {
  const bool before = std::exchange(lasts, now);
  return now && !before;
}

std::vector<std::string> Watch::after(int64_t epoch, int64_t steps, double loss,
                                      const std::optional<Validation>& validation) {
  std::vector<std::string> warnings;
  risen_epochs_ = lowest_loss_ && !(loss <= kRisen * *lowest_loss_) ? risen_epochs_ + 1 : 0;
  if (begins(diverges_, risen_epochs_ >= kRisenEpochs || !std::isfinite(loss)))
    warnings.push_back(fmt::format(
        "the training diverges: its loss is {:.3g} in epoch {}{}; lower train.learning_rate", loss, epoch + 1,
        lowest_loss_ ? fmt::format(", after {:.3g} at its best", *lowest_loss_) : ""));
  if (std::isfinite(loss)) lowest_loss_ = std::min(loss, lowest_loss_.value_or(loss));
  if (!validation) return warnings;
  const double rmse = validation->quality.rmse;
  const bool whole_epoch_frozen = freezing_step_ && last_steps_ >= *freezing_step_;
  last_steps_ = steps;
  if (freezing_step_ && steps <= *freezing_step_) live_rmse_ = rmse;
  if (whole_epoch_frozen && live_rmse_ && !(rmse <= kJumped * *live_rmse_))
    warnings.push_back(fmt::format(
        "batch norms were frozen at a bad moment: RMSE rose from {} to {} in epoch {}; set "
        "train.freeze_norms_after = \"auto\"",
        with_unit(*live_rmse_, validation->units), with_unit(rmse, validation->units), epoch + 1));
  if (whole_epoch_frozen) freezing_step_.reset();
  const bool worse = baseline_ && !(rmse <= baseline_->quality.rmse) && epoch + 1 < epochs_ &&
                     static_cast<double>(epoch + 1) > kLearning * static_cast<double>(epochs_);
  worse_epochs_ = worse ? worse_epochs_ + 1 : 0;
  if (begins(worse_, worse_epochs_ >= kWorseEpochs || (worse && !std::isfinite(rmse))))
    warnings.push_back(fmt::format(
        "after {} of {} epochs the enhanced slices are worse than the low-dose ones: RMSE {} against {}",
        epoch + 1, epochs_, with_unit(rmse, validation->units),
        with_unit(baseline_->quality.rmse, validation->units)));
  return warnings;
}

std::optional<std::string> worse_than_input(const Validation& best, const std::optional<Validation>& baseline,
                                            int64_t steps) {
  if (!baseline || best.quality.rmse < baseline->quality.rmse) return std::nullopt;
  const std::string advice =
      steps < kFewSteps
          ? fmt::format("train longer: {} steps are few, {} and more are usual", steps, kFewSteps)
          : std::string("see the curves in report.html; do low and full dose show the same slices?");
  return fmt::format("the trained network makes slices worse than they were: RMSE {} against {}; {}",
                     with_unit(best.quality.rmse, best.units), with_unit(baseline->quality.rmse, best.units),
                     advice);
}

}  // namespace lucivox
