#include <algorithm>
#include <utility>

#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <lucivox/train/step.h>

namespace lucivox {
namespace {

// Steps that are run as they are before one is captured: cuDNN looks for its fastest algorithms in them.
constexpr int64_t kWarmUp = 3;
constexpr double kShortest = 1e-30;  // length of gradients that can be divided by it

bool same_shapes(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) { return x.sizes() == y.sizes(); });
}

// To length 1, of all together; zeros stay zeros. A bound, unlike a choice, needs no scalar on the device,
// which a captured step could not bring there.
void normalize(std::vector<at::Tensor>& gradients) {
  const torch::NoGradGuard no_grad;
  const at::Tensor length = at::stack(at::_foreach_norm(gradients, 2)).norm();
  at::_foreach_div_(gradients, length.clamp_min(kShortest));
}

}  // namespace

TrainingStep::TrainingStep(Network& network, LossFunction loss, Adam& adam, const Masks& held,
                           const TrainOptions& options, const Ranks& ranks)
    : network_(network),
      loss_of_(std::move(loss)),
      adam_(adam),
      held_(held),
      ranks_(ranks),
      captures_steps_(options.capture && Capture::possible(network.device())),
      normalizes_gradients_(options.normalize_gradients),
      loss_(torch::zeros({}, network.device())) {
  if (options.precision == "fp16") scale_.emplace(network.device());
  renew();
}

void TrainingStep::renew() {
  capture_.reset();
  warm_ = 0;
  buckets_.reset();
  if (ranks_.size() > 1) buckets_ = std::make_unique<GradientBuckets>(network_, ranks_);
}

double TrainingStep::run(const std::vector<at::Tensor>& batch, Mode mode, double learning_rate) {
  const c10::DeviceGuard here(network_.device());
  adam_.set_learning_rate(learning_rate);
  captures_steps_ ? repeat(batch, mode) : compute(batch, mode);
  return loss_.item<double>();
}

void TrainingStep::compute(const std::vector<at::Tensor>& batch, Mode mode) {
  adam_.clear_gradients();
  const at::Tensor loss = loss_of_(batch, mode);
  (scale_ ? scale_->scaled(loss) : loss).backward();
  if (buckets_) buckets_->finish();
  std::vector<at::Tensor> gradients = adam_.gradients();
  if (scale_) scale_->unscale(gradients);
  mask_gradients(held_, network_);
  if (normalizes_gradients_) normalize(gradients);
  adam_.step(scale_ ? scale_->overflowed() : at::Tensor());
  if (scale_) scale_->update();
  loss_.copy_(loss.detach());
}

void TrainingStep::repeat(const std::vector<at::Tensor>& batch, Mode mode) {
  if (mode != mode_ || !same_shapes(batch, inputs_)) {
    capture_.reset();
    warm_ = 0;
    mode_ = mode;
    inputs_.clear();
    for (const at::Tensor& input : batch) inputs_.push_back(torch::empty_like(input));
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    inputs_[i].copy_(batch[i]);
    moved_.device_to_device += static_cast<int64_t>(batch[i].nbytes());
  }
  const auto step = [this] { compute(inputs_, mode_); };
  if (warm_ < kWarmUp) {
    ++warm_;
    Capture::warm_up(step);
    return;
  }
  if (!capture_) {
    capture_.emplace(step);
    ++captures_;
  }
  capture_->replay();
}

}  // namespace lucivox
