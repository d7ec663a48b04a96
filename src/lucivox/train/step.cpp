#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/step.h>

namespace lucivox {
namespace {

// Steps that are run as they are before one is captured: in them libraries load their kernels and take their
// memory.
constexpr int64_t kWarmUp = 3;
// Changes of the batch's shape after which captures no longer pay: each costs kWarmUp steps and the capture
// itself.
constexpr int64_t kShapes = 4;
constexpr double kShortest = 1e-30;  // length of gradients that can be divided by it

bool same_shapes(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) { return x.sizes() == y.sizes(); });
}

// Sum of squares of a float32 tensor on the CPU, in float32 over short runs.
double squared_length(const at::Tensor& tensor) {
  constexpr int64_t kRun = 256;
  const at::Tensor dense = tensor.contiguous();
  const float* values = dense.const_data_ptr<float>();
  double sum = 0;
  for (int64_t begin = 0; begin < dense.numel(); begin += kRun) {
    float of_run = 0;
#pragma omp simd reduction(+ : of_run)
    for (int64_t i = begin; i < std::min(begin + kRun, dense.numel()); ++i) of_run += values[i] * values[i];
    sum += static_cast<double>(of_run);
  }
  return sum;
}

// Of all tensors together, at least kShortest. On a device by its own kernels, for a captured step can bring
// no number there; on the CPU these take longer to start than to add up such small tensors.
at::Tensor length_of(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  const at::Tensor& first = gradients.front();
  if (!first.is_cpu() || first.scalar_type() != at::kFloat)
    return at::stack(at::_foreach_norm(gradients, 2)).norm().clamp_min(kShortest).to(at::kFloat);
  double squares = 0;
  for (const at::Tensor& gradient : gradients) squares += squared_length(gradient);
  return at::tensor(static_cast<float>(std::max(std::sqrt(squares), kShortest)));
}

}  // namespace

TrainingStep::TrainingStep(Network& network, LossFunction loss, Adam& adam, const Masks& held,
                           const TrainOptions& options, const Ranks& ranks)
    : network_(network),
      loss_of_(std::move(loss)),
      adam_(adam),
      held_(held),
      ranks_(ranks),
      normalizes_gradients_(options.normalize_gradients),
      captures_steps_(options.capture && Capture::possible(network.weights().device())),
      loss_(at::zeros({}, network.weights().device())) {
  if (options.precision == "fp16") scale_.emplace(network.weights().device());
  renew();
}

void TrainingStep::renew() {
  capture_.reset();
  warm_ = 0;
  buckets_.reset();
  if (ranks_.size() > 1) buckets_ = std::make_unique<GradientBuckets>(network_.weights(), ranks_);
}

at::Tensor TrainingStep::run(const std::vector<at::Tensor>& batch, Mode mode, double learning_rate) {
  const c10::DeviceGuard here(network_.weights().device());
  adam_.set_learning_rate(learning_rate);
  captures_steps_ ? repeat(batch, mode) : compute(batch, mode);
  return loss_;
}

void TrainingStep::compute(const std::vector<at::Tensor>& batch, Mode mode) {
  adam_.clear_gradients();
  const at::Tensor loss = loss_of_(batch, mode);
  (scale_ ? scale_->scaled(loss) : loss).backward();
  if (buckets_) buckets_->finish();
  std::vector<at::Tensor> gradients = adam_.gradients();
  if (scale_) scale_->unscale(gradients);
  mask_gradients(held_, network_.weights());
  adam_.step(scale_ ? scale_->overflowed() : at::Tensor(),
             normalizes_gradients_ ? length_of(gradients) : at::Tensor());
  if (scale_) scale_->update();
  loss_.copy_(loss.detach());
}

void TrainingStep::capture_no_more(const std::string& why) {
  renew();  // buckets, too: an unfinished capture has left them in the middle of a step
  captures_steps_ = false;
  warning_ = fmt::format("steps are no longer captured: {}", why);
}

void TrainingStep::repeat(const std::vector<at::Tensor>& batch, Mode mode) {
  const bool other_shape = !same_shapes(batch, inputs_);
  if (other_shape && ++shapes_ > kShapes) {
    capture_no_more("batches have many shapes");
    return compute(batch, mode);
  }
  if (mode != mode_ || other_shape) {
    capture_.reset();
    warm_ = 0;
    mode_ = mode;
    inputs_.clear();
    for (const at::Tensor& input : batch) inputs_.push_back(at::empty_like(input));
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
    try {
      capture_.emplace(step);
    } catch (const Error& error) {
      capture_no_more(error.what());
      return step();
    } catch (const c10::OutOfMemoryError&) {
      capture_no_more("the GPU has no memory for a capture beside the network");
      return step();
    }
    ++captures_;
  }
  capture_->replay();
}

}  // namespace lucivox
