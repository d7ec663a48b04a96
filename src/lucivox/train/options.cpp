#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/options.h>
#include <lucivox/train/precision.h>

namespace lucivox {
namespace {

void check_sparsity(const SparsityOptions& o, int64_t epochs) {
  check(o.pruning);
  require(o.switching == "fixed" || o.switching == "automatic",
          fmt::format("unknown switch '{}' to sparse epochs", o.switching), "use 'fixed' or 'automatic'");
  require(o.learning_rate >= 0 && o.learning_rate < 1,
          fmt::format("a learning rate of {} for sparse epochs", o.learning_rate),
          "give one such as 0.0001, or 0 to go on decaying");
  require(o.dense_epochs >= 0 && o.gradual_epochs >= 1,
          fmt::format("{} dense epochs, and {} epochs to prune in", o.dense_epochs, o.gradual_epochs),
          "give at least 0 dense_epochs and 1 of gradual_epochs");
  if (o.pruning.criterion == "none") return;
  require(o.dense_epochs + o.gradual_epochs <= epochs,
          fmt::format("{} dense epochs and {} to prune in do not fit into {}", o.dense_epochs,
                      o.gradual_epochs, epochs),
          "give fewer dense_epochs or gradual_epochs");
  require(o.gradual_epochs == 1 || o.pruning.criterion != "2:4", "2:4 has one amount and cannot be gradual",
          "leave out gradual_epochs, or take another criterion");
}

}  // namespace

void check(const TrainOptions& o) {
  require(o.epochs >= 1, fmt::format("train.epochs must be at least 1, but is {}", o.epochs), "50 is usual");
  require(o.learning_rate > 0 && o.learning_rate < 1,
          fmt::format("train.learning_rate must be between 0 and 1, but is {}", o.learning_rate),
          "the paper's is 0.0001");
  require(o.beta2 >= 0 && o.beta2 < 1,
          fmt::format("train.beta2 must be at least 0 and below 1, but is {}", o.beta2),
          "0.99 is usual here, 0.999 the optimiser's own");
  require(o.decay > 0 && o.decay <= 1,
          fmt::format("train.decay must be above 0 and at most 1, but is {}", o.decay),
          "the paper's is 0.95");
  require(o.freeze_norms_after >= 0 || o.freeze_norms_after == kFreezeEarly,
          fmt::format("train.freeze_norms_after must be \"auto\" or a number of epochs, but is {}",
                      o.freeze_norms_after),
          "0 means never");
  require(o.schedule == "cosine" || o.schedule == "exponential",
          fmt::format("train.schedule must be \"cosine\" or \"exponential\", but is \"{}\"", o.schedule),
          "cosine falls to 0 at the end of the training, exponential by train.decay in each epoch");
  require_precision(o.precision);
  require(o.checkpoint_minutes > 0,
          fmt::format("train.checkpoint_minutes must be positive, but is {}", o.checkpoint_minutes),
          "the default is 10");
  check_sparsity(o.sparsity, o.epochs);
}

}  // namespace lucivox
