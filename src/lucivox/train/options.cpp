#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/options.h>

namespace lucivox {
namespace {

void require(bool sound, const std::string& what, const std::string& hint) {
  if (!sound) throw Error::misuse(what, hint);
}

void check(const TrainOptions& o) {
  require(o.epochs >= 1 && o.batch >= 1, fmt::format("{} epochs with a batch of {}", o.epochs, o.batch),
          "give at least 1 of each");
  require(o.learning_rate > 0 && o.learning_rate < 1, fmt::format("a learning rate of {}", o.learning_rate),
          "the paper's is 0.0001");
  require(o.decay > 0 && o.decay <= 1, fmt::format("a decay of {} an epoch", o.decay), "the paper's is 0.95");
  require(o.crop == 0 || o.crop >= 16, fmt::format("crops of {} pixels", o.crop),
          "give 0 for whole slices or at least 16");
  require(o.freeze_norms_after >= 0, fmt::format("freeze_norms_after = {}", o.freeze_norms_after),
          "give an epoch, or 0 for never");
  require(o.checkpoint_minutes > 0, "checkpoint_minutes must be positive", "the default is 10");
  require(o.loss.mse >= 0 && o.loss.ms_ssim >= 0 && o.loss.mse + o.loss.ms_ssim > 0,
          "the loss has no positive weight", "the paper's is mse 1 with ms_ssim 0.1");
  require(o.sparsity.criterion == "none" || o.sparsity.criterion == "filters-l1",
          fmt::format("unknown sparsity criterion '{}'", o.sparsity.criterion), "use 'none' or 'filters-l1'");
  require(o.sparsity.amount >= 0 && o.sparsity.amount < 1, fmt::format("a sparsity of {}", o.sparsity.amount),
          "give a share between 0 and 1, such as 0.5");
  require(
      o.sparsity.criterion == "none" || (o.sparsity.dense_epochs >= 0 && o.sparsity.dense_epochs < o.epochs),
      fmt::format("{} dense epochs of {} leave none to retrain the sparse network", o.sparsity.dense_epochs,
                  o.epochs),
      "give fewer dense_epochs than epochs");
}

}  // namespace

TrainOptions train_options_from_json(const Json& json) {
  TrainOptions o;
  ConfigTable table(json, "train");
  table.read("epochs", o.epochs);
  table.read("batch", o.batch);
  table.read("learning_rate", o.learning_rate);
  table.read("decay", o.decay);
  table.read("crop", o.crop);
  table.read("seed", o.seed);
  table.read("freeze_norms_after", o.freeze_norms_after);
  table.read("checkpoint_minutes", o.checkpoint_minutes);
  ConfigTable loss(table.table("loss"), "train.loss");
  loss.read("mse", o.loss.mse);
  loss.read("ms_ssim", o.loss.ms_ssim);
  loss.finish();
  ConfigTable sparsity(table.table("sparsity"), "train.sparsity");
  sparsity.read("criterion", o.sparsity.criterion);
  sparsity.read("amount", o.sparsity.amount);
  sparsity.read("dense_epochs", o.sparsity.dense_epochs);
  sparsity.finish();
  table.finish();
  check(o);
  return o;
}

Json to_json(const TrainOptions& o) {
  return {{"epochs", o.epochs},
          {"batch", o.batch},
          {"learning_rate", o.learning_rate},
          {"decay", o.decay},
          {"crop", o.crop},
          {"seed", o.seed},
          {"freeze_norms_after", o.freeze_norms_after},
          {"checkpoint_minutes", o.checkpoint_minutes},
          {"loss", {{"mse", o.loss.mse}, {"ms_ssim", o.loss.ms_ssim}}},
          {"sparsity",
           {{"criterion", o.sparsity.criterion},
            {"amount", o.sparsity.amount},
            {"dense_epochs", o.sparsity.dense_epochs}}}};
}

}  // namespace lucivox
