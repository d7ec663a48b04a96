#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/nn/shrinking.h>
#include <lucivox/sparse/mask.h>
#include <lucivox/train/checkpoint.h>
#include <lucivox/train/options.h>
#include <lucivox/train/ranks.h>
#include <lucivox/train/run_folder.h>
#include <lucivox/train/task.h>

namespace lucivox {

struct TrainResult {
  bool finished = false;             // false: stopped on request, to be resumed
  Masks masks;                       // of the whole network; empty: dense
  double sparsity = 0;               // the share of convolution weights that they set to zero
  std::optional<Shrinking> removed;  // what the network was trained without in the end
  int64_t steps = 0;
  int64_t skipped = 0;                   // updates, because half precision overflowed
  double seconds = 0;                    // over all sittings
  double peak_memory = 0;                // bytes, of this sitting, on the device that trains (memory_use.h)
  std::optional<Validation> validation;  // after the last epoch
  std::optional<Validation> baseline;    // of the low-dose slices
  std::optional<Best> best;              // of the last phase, kept in the run folder
};

// Writes the weights as they are now, and what it was trained without, as a model.
using ModelWriter = std::function<void(const std::filesystem::path& path, const Weights& weights,
                                       const std::optional<Shrinking>& removed)>;

enum class Start { Fresh, Resume };

// The one training loop: epochs, learning rate, pruning and held masks, checkpoints, metrics, stopping. Where
// pruning took whole channels, the network becomes the smaller one and training goes on with that; a resumed
// run begins with the whole one. Same seed and threads, same weights on the CPU, resumed or not (on
// GPUs some sums of backward passes are atomic and have no fixed order). With `stop` requested
// it ends after the step under way, its state saved. Several ranks train as one process would with the whole
// batch, and the first one keeps the run; the task has this rank's share of the data. Throws Error when the
// loss stops being a number, on a full disk, or when another rank is lost.
//
// Where there is validation, the low-dose slices are its baseline, what goes wrong is named (watch.h), and
// `write_model` keeps the weights with the smallest RMSE: among all epochs of a dense training; of a sparse
// one among the dense epochs (RunFolder::dense_model) and among those after the last pruning.
TrainResult train(Network& network, TrainingTask& task, const TrainOptions& options, RunFolder& run,
                  Start start, Reporter& reporter, const StopToken& stop, const Ranks& ranks = {},
                  const ModelWriter& write_model = {});

}  // namespace lucivox
