#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <lucivox/train/schedule.h>

namespace lucivox {
namespace {

constexpr size_t kSmoothed = 5;  // differences a median
constexpr size_t kFlat = 10;     // epochs that the gradient stays within
// Of a training by the cosine schedule: the part that it warms up in, and what it begins with. Adam knows
// nothing of the gradients' size yet, and its first steps are as large as any.
constexpr double kWarmUpPart = 0.02, kFirstWarmth = 0.05;
constexpr double kHalfOrder = 3.1622776601683795;
constexpr double kFallen = 0.1;  // of the largest gradient

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<double> smoothed_gradients(const std::vector<double>& losses) {
  std::vector<double> last, smoothed;
  for (size_t t = 1; t < losses.size(); ++t) {
    last.push_back(std::abs(losses[t] - losses[t - 1]));
    if (last.size() > kSmoothed) last.erase(last.begin());
    if (last.size() == kSmoothed) smoothed.push_back(median(last));
  }
  return smoothed;
}

}  // namespace

std::optional<std::string> flattening(const std::vector<double>& losses) {
  const std::vector<double> gradients = smoothed_gradients(losses);
  if (gradients.size() <= kFlat) return std::nullopt;
  const double largest = *std::max_element(gradients.begin(), gradients.end());
  const auto [low, high] = std::minmax_element(gradients.end() - kFlat, gradients.end());
  if (!(*high <= kHalfOrder * *low && *high < kFallen * largest)) return std::nullopt;
  return fmt::format(
      "for {} epochs the loss changed by {:.1e} to {:.1e} an epoch, within half an order of magnitude and "
      "below "
      "1/10 of the largest change ({:.1e})",
      kFlat, *low, *high, largest);
}

std::optional<int64_t> freezing_step(const TrainOptions& options, int64_t steps_per_epoch) {
  if (options.freeze_norms_after == 0) return std::nullopt;
  if (options.freeze_norms_after > 0)
    return std::llround(options.freeze_norms_after * static_cast<double>(steps_per_epoch));
  constexpr int64_t fewest = 160;  // enough for a training of 1600 steps
  const int64_t steps = options.epochs * steps_per_epoch;
  return std::min(std::max(steps / 10, fewest), std::max<int64_t>(steps / 3, 1));
}

std::optional<Switch> switch_after(const std::vector<double>& losses, const SparsityOptions& options) {
  if (options.pruning.criterion == "none") return std::nullopt;
  const auto epoch = static_cast<int64_t>(losses.size());
  const bool automatic = options.switching == "automatic";
  if (automatic) {
    if (const auto reason = flattening(losses)) return Switch{epoch, *reason};
  }
  if (epoch < options.dense_epochs) return std::nullopt;
  return Switch{epoch, automatic
                           ? fmt::format("the loss had not flattened in the {} dense epochs allowed", epoch)
                           : fmt::format("{} dense epochs as planned", epoch)};
}

std::optional<double> amount_at(int64_t pruning, const SparsityOptions& options) {
  if (pruning > options.gradual_epochs) return std::nullopt;
  const double left = 1 - static_cast<double>(pruning) / static_cast<double>(options.gradual_epochs);
  return options.pruning.amount * (1 - left * left * left);
}

int64_t dense_schedule_end(const TrainOptions& options) {
  const bool begins_anew = options.sparsity.pruning.criterion != "none" && options.sparsity.learning_rate > 0;
  return options.schedule == "cosine" && begins_anew ? options.sparsity.dense_epochs : options.epochs;
}

double learning_rate_at(double epochs, const std::optional<Switch>& switched, const TrainOptions& options) {
  const bool anew = switched && options.sparsity.learning_rate > 0;
  const double first = anew ? options.sparsity.learning_rate : options.learning_rate;
  const double begin = anew ? static_cast<double>(switched->epoch) : 0, done = epochs - begin;
  if (options.schedule == "exponential") return first * std::pow(options.decay, std::floor(done));
  const int64_t end = switched ? options.epochs : dense_schedule_end(options);
  const double part = std::min(done / (static_cast<double>(end) - begin), 1.0);
  const double warm = std::min(1.0, (part + kFirstWarmth * kWarmUpPart) / kWarmUpPart);
  return first * warm * (1 + std::cos(std::numbers::pi * part)) / 2;
}

double warmth_after_freezing(int64_t step, std::optional<int64_t> freezing_step, int64_t all_steps) {
  if (!freezing_step || step < *freezing_step) return 1;
  const int64_t ramp = std::min(*freezing_step, all_steps / 10);
  return std::min(1.0, static_cast<double>(step - *freezing_step + 1) / static_cast<double>(ramp + 1));
}

}  // namespace lucivox
