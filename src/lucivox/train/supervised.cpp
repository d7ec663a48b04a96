#include <algorithm>

#include <fmt/format.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/supervised.h>

namespace lucivox {
namespace {

// Streams of random numbers that a run draws from its seed.
enum Stream : uint64_t { Order = 1, Crops = 2 };

struct Batch {
  at::Tensor low, full;  // [N, 1, H, W] in unit range
};

class Supervised final : public TrainingTask {
 public:
  Supervised(PairedSlices& training, PairedSlices* validation, const IntensityMapping& intensity,
             const TrainOptions& options, int64_t multiple)
      : training_(training),
        validation_(validation),
        intensity_(intensity),
        options_(options),
        multiple_(multiple) {
    if (training_.count() < options_.batch) {
      throw Error(fmt::format("{} slices are fewer than one batch of {}", training_.count(), options_.batch),
                  "choose a smaller batch");
    }
    if (options_.crop % multiple_ != 0) {
      throw Error::misuse(fmt::format("crops of {} pixels", options_.crop),
                          fmt::format("use a multiple of {}", multiple_));
    }
    for (int64_t i = 0; i < training_.count(); ++i) require_large_enough(i);
  }

  int64_t steps_per_epoch() const override { return training_.count() / options_.batch; }

  double gradients(Network& network, int64_t epoch, int64_t step) override {
    const Batch batch = to(training_batch(epoch, step), network);
    const bool frozen = options_.freeze_norms_after > 0 && epoch >= options_.freeze_norms_after;
    const at::Tensor output = network.forward(batch.low, frozen ? Mode::Evaluation : Mode::Training);
    const Loss loss = ddnet_loss(output, batch.full, options_.loss);
    loss.total.backward();
    return loss.total.item<double>();
  }

  std::optional<Validation> validate(Network& network) override {
    if (validation_ == nullptr) return std::nullopt;
    const torch::NoGradGuard no_grad;
    Validation mean_of;
    std::vector<Quality> slices;
    for (int64_t i = 0; i < validation_->count(); ++i) {
      const Batch batch = to(unit_pair(middle_crop(validation_->read(i))), network);
      const at::Tensor enhanced = network.forward(batch.low, Mode::Evaluation);
      mean_of.loss += ddnet_loss(enhanced, batch.full, options_.loss).total.item<double>();
      slices.push_back(quality(enhanced.squeeze(), batch.full.squeeze(), {0, 1}));
    }
    mean_of.loss /= static_cast<double>(validation_->count());
    mean_of.quality = mean(slices);
    return mean_of;
  }

  std::string data() const override { return fingerprint(training_); }

 private:
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

  Batch training_batch(int64_t epoch, int64_t step) {
    const std::vector<int64_t>& order = order_of(epoch);
    std::vector<at::Tensor> low, full;
    for (int64_t i = step * options_.batch; i < (step + 1) * options_.batch; ++i) {
      Random random(derive_seed(options_.seed, Crops), static_cast<uint64_t>(epoch * training_.count() + i));
      const Batch one = unit_pair(random_crop(training_.read(order[static_cast<size_t>(i)]), random));
      low.push_back(one.low);
      full.push_back(one.full);
    }
    return {at::cat(low), at::cat(full)};
  }

  const std::vector<int64_t>& order_of(int64_t epoch) {
    if (epoch != ordered_epoch_) {
      order_ = Random(derive_seed(options_.seed, Order), static_cast<uint64_t>(epoch))
                   .permutation(training_.count());
      ordered_epoch_ = epoch;
    }
    return order_;
  }

  SlicePair random_crop(const SlicePair& pair, Random& random) const {
    if (options_.crop == 0) return middle_crop(pair);
    const int64_t side = options_.crop;
    const int64_t y = random.integer(pair.low.size(0) - side + 1),
                  x = random.integer(pair.low.size(1) - side + 1);
    const auto cut = [&](const at::Tensor& image) { return image.narrow(0, y, side).narrow(1, x, side); };
    return {cut(pair.low), cut(pair.full)};
  }

  // The largest middle part whose sides are multiples of the network's.
  SlicePair middle_crop(const SlicePair& pair) const {
    const auto cut = [&](const at::Tensor& image) {
      const int64_t rows = image.size(0) / multiple_ * multiple_,
                    columns = image.size(1) / multiple_ * multiple_;
      return image.narrow(0, (image.size(0) - rows) / 2, rows)
          .narrow(1, (image.size(1) - columns) / 2, columns);
    };
    return {cut(pair.low), cut(pair.full)};
  }

  // Both by the mapping of the low-dose slice, the only one there is when the network is used.
  Batch unit_pair(const SlicePair& pair) const {
    const at::Tensor low = pair.low.unsqueeze(0).unsqueeze(0), full = pair.full.unsqueeze(0).unsqueeze(0);
    const AppliedMapping mapping = apply_mapping(intensity_, low);
    return {mapping.to_unit(low), mapping.to_unit(full)};
  }

  static Batch to(const Batch& batch, const Network& network) {
    const auto device = network.state().front().second.device();
    return {batch.low.to(device), batch.full.to(device)};
  }

  PairedSlices& training_;
  PairedSlices* validation_;
  const IntensityMapping intensity_;
  const TrainOptions options_;
  const int64_t multiple_;
  std::vector<int64_t> order_;
  int64_t ordered_epoch_ = -1;
};

}  // namespace

std::unique_ptr<TrainingTask> supervised(PairedSlices& training, PairedSlices* validation,
                                         const IntensityMapping& intensity, const TrainOptions& options,
                                         const Graph& graph) {
  return std::make_unique<Supervised>(training, validation, intensity, options, graph.size_multiple());
}

}  // namespace lucivox
