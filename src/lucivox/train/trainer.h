#pragma once

#include <optional>
#include <string>

#include <lucivox/base/progress.h>
#include <lucivox/base/stop.h>
#include <lucivox/metrics/quality.h>
#include <lucivox/nn/network.h>
#include <lucivox/nn/shrinking.h>
#include <lucivox/sparse/mask.h>
#include <lucivox/train/options.h>
#include <lucivox/train/run_folder.h>

namespace lucivox {

// What one epoch's end says about slices that are not trained on; computed in evaluation mode without
// gradients.
struct Validation {
  double loss = 0;
  Quality quality;
};

// What is trained: the small part in which supervised, adversarial and other training differ.
class TrainingTask {
 public:
  virtual ~TrainingTask() = default;
  virtual int64_t steps_per_epoch() const = 0;
  // Leaves the gradients of one step in the network's parameters; gives the loss. Depends on nothing but the
  // weights, epoch and step, so that a resumed run repeats it.
  virtual double gradients(Network& network, int64_t epoch, int64_t step) = 0;
  // Nothing when there is nothing to validate on.
  virtual std::optional<Validation> validate(Network& network) = 0;
  // Identifies the data (fingerprint in pairs.h).
  virtual std::string data() const = 0;
};

struct TrainResult {
  bool finished = false;             // false: stopped on request, to be resumed
  Masks masks;                       // of the whole network; empty: dense
  double sparsity = 0;               // the share of convolution weights that they set to zero
  std::optional<Shrinking> removed;  // what the network was trained without in the end
  int64_t steps = 0;
  double seconds = 0;                    // over all sittings
  std::optional<Validation> validation;  // after the last epoch
};

enum class Start { Fresh, Resume };

// The one training loop: epochs, learning rate, pruning and held masks, checkpoints, metrics, stopping. Where
// pruning took whole channels, the network becomes the smaller one and training goes on with that; a resumed
// run begins with the whole one. Same seed and threads, same weights, resumed or not. With `stop` requested
// it ends after the step under way, its state saved. Throws Error when the loss stops being a number, or on a
// full disk.
TrainResult train(Network& network, TrainingTask& task, const TrainOptions& options, RunFolder& run,
                  Start start, const Console& console, const StopToken& stop);

}  // namespace lucivox
