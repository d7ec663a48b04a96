#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lucivox/sparse/mask.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/buckets.h>
#include <lucivox/train/capture.h>
#include <lucivox/train/options.h>
#include <lucivox/train/precision.h>
#include <lucivox/train/ranks.h>
#include <lucivox/train/transfers.h>

namespace lucivox {

// The mean loss of a batch, a scalar to differentiate.
using LossFunction = std::function<at::Tensor(const std::vector<at::Tensor>& batch, Mode mode)>;

// One training step of one network, whole: forward, loss, backward, mean over ranks, masks, length, update;
// in the options' precision, and on a GPU repeated from a capture. What it is made of must outlive it.
class TrainingStep {
 public:
  TrainingStep(Network& network, LossFunction loss, Adam& adam, const Masks& held,
               const TrainOptions& options, const Ranks& ranks);

  // Gives the loss of this rank's share of the batch, a float32 scalar on the device until the next step: who
  // reads it waits for the device.
  at::Tensor run(const std::vector<at::Tensor>& batch, Mode mode, double learning_rate);
  // The network, the optimiser or the masks have become others: what was recorded of them is void.
  void renew();

  // Nothing but in half precision.
  const std::optional<LossScale>& scale() const { return scale_; }
  std::optional<LossScale>& scale() { return scale_; }
  int64_t captures() const { return captures_; }
  // Why steps are no longer captured although the options ask for it; told once.
  std::optional<std::string> take_warning() { return std::exchange(warning_, std::nullopt); }
  const Transfers& moved() const { return moved_; }

 private:
  void compute(const std::vector<at::Tensor>& batch, Mode mode);
  void repeat(const std::vector<at::Tensor>& batch, Mode mode);
  void capture_no_more(const std::string& why);

  Network& network_;
  LossFunction loss_of_;
  Adam& adam_;
  const Masks& held_;
  const Ranks ranks_;
  const bool normalizes_gradients_;
  bool captures_steps_;
  std::optional<LossScale> scale_;
  std::unique_ptr<GradientBuckets> buckets_;  // null: alone
  at::Tensor loss_;
  // of the capture, if there is one
  std::optional<Capture> capture_;
  std::vector<at::Tensor> inputs_;
  Mode mode_ = Mode::Training;
  int64_t warm_ = 0, captures_ = 0, shapes_ = 0;
  std::optional<std::string> warning_;
  Transfers moved_;
};

}  // namespace lucivox
