#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/exec/network.h>
#include <lucivox/image/image.h>
#include <lucivox/metrics/quality.h>
#include <lucivox/train/transfers.h>

namespace lucivox {

// How good slices are that are not trained on, whole, in evaluation mode, in the images' units and in the
// window of quality_window().
struct Validation {
  double loss = 0;
  Quality quality;
  Units units = Units::Unknown;
};

// A network that is trained against the task's own: a discriminator.
class Opponent {
 public:
  virtual ~Opponent() = default;
  virtual Network& network() = 0;
  // For each step of the task.
  virtual int64_t updates() const = 0;
  // As TrainingTask's, of one of these updates.
  virtual std::vector<at::Tensor> batch(int64_t epoch, int64_t step, int64_t update) = 0;
  virtual at::Tensor loss(Network& trained, const std::vector<at::Tensor>& batch, Mode mode) = 0;
  // What the mean of its loss over an epoch tells that a user must know; nothing when all is well.
  virtual std::optional<std::string> warning(double mean_loss) const = 0;
};

// What is trained: the small part in which supervised, adversarial and other training differ.
class TrainingTask {
 public:
  virtual ~TrainingTask() = default;
  virtual int64_t steps_per_epoch() const = 0;
  // This rank's share of a step's batch, on the network's device. Depends on nothing but the epoch and the
  // step, so that a resumed run repeats it.
  virtual std::vector<at::Tensor> batch(int64_t epoch, int64_t step) = 0;
  // The mean loss of a batch, a scalar to differentiate. Computed where the batch is, without a look at any
  // value, so that it can be captured.
  virtual at::Tensor loss(Network& network, const std::vector<at::Tensor>& batch, Mode mode) = 0;
  // Null when there is none.
  virtual Opponent* opponent() { return nullptr; }
  // Nothing when there is nothing to validate on. Over all ranks.
  virtual std::optional<Validation> validate(Network& network) = 0;
  // The same of the low-dose slices as they are: what the network has to beat.
  virtual std::optional<Validation> baseline() { return std::nullopt; }
  // The options that what it does in a step depends on, as configurations have them.
  virtual Json options() const = 0;
  // Identifies the data (fingerprint in pairs.h).
  virtual std::string data() const = 0;
  // By batch(), since the beginning.
  virtual const Transfers& moved() const = 0;
};

}  // namespace lucivox
