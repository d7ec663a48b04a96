#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/options.h>
#include <lucivox/train/precision.h>
#include <lucivox/train/staging.h>

namespace lucivox {
namespace {

void require(bool sound, const std::string& what, const std::string& hint) {
  if (!sound) throw Error::misuse(what, hint);
}

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

void check_loss(const LossOptions& o, int64_t crop) {
  check(o.perceptual);
  require(o.mse >= 0 && o.ms_ssim >= 0 && o.adversarial >= 0, "a part of the loss has a negative weight",
          "give 0 to leave a part out");
  require(o.mse + o.ms_ssim > 0 || o.perceptual.wanted(),
          "nothing in the loss compares an image with its truth",
          "give mse, ms_ssim or perceptual a weight; DDNet's paper has mse 1 with ms_ssim 0.1");
  require(o.levels > 0, fmt::format("{} grey levels", o.levels), "give 1, or 255 as TomoGAN has");
  require(o.discriminator_updates >= 1 && o.discriminator_updates <= 100,
          fmt::format("{} updates of the discriminator for one of the network", o.discriminator_updates),
          "TomoGAN has 2");
  require(o.adversarial == 0 || (crop > 0 && crop % 8 == 0),
          fmt::format("an adversarial loss with crops of {} pixels", crop),
          "a discriminator reads images of one size: set train.crop to a multiple of 8");
}

void read_freezing(ConfigTable& table, TrainOptions& o) {
  Json after = o.freeze_norms_after == kFreezeEarly ? Json("auto") : Json(o.freeze_norms_after);
  table.read("freeze_norms_after", after);
  if (after == "auto") {
    o.freeze_norms_after = kFreezeEarly;
  } else if (after.is_number()) {
    o.freeze_norms_after = after.get<double>();
  } else {
    throw Error::misuse(
        fmt::format("train.freeze_norms_after must be \"auto\" or a number of epochs, but is {}",
                    after.dump()),
        "0 means never");
  }
}

void check(const TrainOptions& o) {
  require(o.epochs >= 1 && o.batch >= 1, fmt::format("{} epochs with a batch of {}", o.epochs, o.batch),
          "give at least 1 of each");
  require(o.learning_rate > 0 && o.learning_rate < 1, fmt::format("a learning rate of {}", o.learning_rate),
          "the paper's is 0.0001");
  require(o.beta2 >= 0 && o.beta2 < 1,
          fmt::format("train.beta2 must be at least 0 and below 1, but is {}", o.beta2),
          "0.99 is usual here, 0.999 the optimiser's own");
  require(o.decay > 0 && o.decay <= 1, fmt::format("a decay of {} an epoch", o.decay), "the paper's is 0.95");
  require(o.crop == 0 || o.crop >= 16, fmt::format("crops of {} pixels", o.crop),
          "give 0 for whole slices or at least 16");
  require(o.freeze_norms_after >= 0 || o.freeze_norms_after == kFreezeEarly,
          fmt::format("train.freeze_norms_after must be \"auto\" or a number of epochs, but is {}",
                      o.freeze_norms_after),
          "0 means never");
  require(o.schedule == "cosine" || o.schedule == "exponential",
          fmt::format("train.schedule must be \"cosine\" or \"exponential\", but is \"{}\"", o.schedule),
          "cosine falls to 0 at the end of the training, exponential by train.decay in each epoch");
  require(o.margin >= 0 && o.margin <= 512,
          fmt::format("train.margin must be between 0 and 512 pixels, but is {}", o.margin), "16 is usual");
  require(o.vary_levels >= 0 && o.vary_levels <= 1,
          fmt::format("train.vary_levels must be between 0 and 1, but is {}", o.vary_levels),
          "it is the share of samples that are shown at other levels");
  require_precision(o.precision);
  require_staging(o.staging);
  require(o.checkpoint_minutes > 0, "checkpoint_minutes must be positive", "the default is 10");
  check_loss(o.loss, o.crop);
  check_sparsity(o.sparsity, o.epochs);
}

}  // namespace

TrainOptions tomogan_training() {
  TrainOptions o;
  o.batch = 16;
  o.crop = 512;
  o.vary_levels = 0;
  o.augment = false;
  o.learning_rate = 1e-4;
  o.beta2 = 0.999;
  o.normalize_gradients = false;
  o.schedule = "exponential";
  o.decay = 1;
  o.freeze_norms_after = 0;
  o.loss = {.mse = 0.5,
            .ms_ssim = 0,
            .levels = 255,
            .adversarial = 20,
            .discriminator_updates = 2,
            .perceptual = {}};
  o.loss.perceptual = {
      .network = "vgg19", .weights = {}, .input = "keras", .distance = "mse", .blocks = {0, 0, 0, 0, 2}};
  return o;
}

TrainOptions train_options_from_json(const Json& json, const TrainOptions& defaults) {
  TrainOptions o = defaults;
  ConfigTable table(json, "train");
  table.read("epochs", o.epochs);
  table.read("batch", o.batch);
  table.read("learning_rate", o.learning_rate);
  table.read("beta2", o.beta2);
  table.read("normalize_gradients", o.normalize_gradients);
  table.read("decay", o.decay);
  table.read("schedule", o.schedule);
  table.read("crop", o.crop);
  table.read("margin", o.margin);
  table.read("vary_levels", o.vary_levels);
  table.read("seed", o.seed);
  read_freezing(table, o);
  table.read("augment", o.augment);
  table.read("precision", o.precision);
  table.read("staging", o.staging);
  table.read("capture", o.capture);
  table.read("checkpoint_minutes", o.checkpoint_minutes);
  ConfigTable loss(table.table("loss"), "train.loss");
  loss.read("mse", o.loss.mse);
  loss.read("ms_ssim", o.loss.ms_ssim);
  loss.read("levels", o.loss.levels);
  loss.read("adversarial", o.loss.adversarial);
  loss.read("discriminator_updates", o.loss.discriminator_updates);
  const Json perception = loss.table("perceptual");
  ConfigTable perceptual(perception, "train.loss.perceptual");
  perceptual.read("network", o.loss.perceptual.network);
  perceptual.read("weights", o.loss.perceptual.weights);
  perceptual.read("input", o.loss.perceptual.input);
  perceptual.read("distance", o.loss.perceptual.distance);
  perceptual.read("blocks", o.loss.perceptual.blocks);
  perceptual.finish();
  const bool of_ddnet = !defaults.loss.perceptual.wanted();
  if (of_ddnet && o.loss.perceptual.network == "vgg19" && !perception.contains("blocks"))
    o.loss.perceptual.blocks = kBlocksOfVgg19;
  loss.finish();
  ConfigTable sparsity(table.table("sparsity"), "train.sparsity");
  sparsity.read("criterion", o.sparsity.pruning.criterion);
  sparsity.read("amount", o.sparsity.pruning.amount);
  sparsity.read("targets", o.sparsity.pruning.targets);
  sparsity.read("switch", o.sparsity.switching);
  sparsity.read("dense_epochs", o.sparsity.dense_epochs);
  sparsity.read("gradual_epochs", o.sparsity.gradual_epochs);
  sparsity.read("learning_rate", o.sparsity.learning_rate);
  sparsity.finish();
  table.finish();
  check(o);
  return o;
}

TrainOptions train_options_from_json(const Json& json) {
  return train_options_from_json(json, TrainOptions());
}

Json to_json(const TrainOptions& o) {
  return {{"epochs", o.epochs},
          {"batch", o.batch},
          {"learning_rate", o.learning_rate},
          {"beta2", o.beta2},
          {"normalize_gradients", o.normalize_gradients},
          {"decay", o.decay},
          {"schedule", o.schedule},
          {"crop", o.crop},
          {"margin", o.margin},
          {"vary_levels", o.vary_levels},
          {"seed", o.seed},
          {"freeze_norms_after",
           o.freeze_norms_after == kFreezeEarly ? Json("auto") : Json(o.freeze_norms_after)},
          {"augment", o.augment},
          {"precision", o.precision},
          {"staging", o.staging},
          {"capture", o.capture},
          {"checkpoint_minutes", o.checkpoint_minutes},
          {"loss",
           {{"mse", o.loss.mse},
            {"ms_ssim", o.loss.ms_ssim},
            {"levels", o.loss.levels},
            {"adversarial", o.loss.adversarial},
            {"discriminator_updates", o.loss.discriminator_updates},
            {"perceptual",
             {{"network", o.loss.perceptual.network},
              {"weights", o.loss.perceptual.weights},
              {"input", o.loss.perceptual.input},
              {"distance", o.loss.perceptual.distance},
              {"blocks", o.loss.perceptual.blocks}}}}},
          {"sparsity",
           {{"criterion", o.sparsity.pruning.criterion},
            {"amount", o.sparsity.pruning.amount},
            {"targets", o.sparsity.pruning.targets},
            {"switch", o.sparsity.switching},
            {"dense_epochs", o.sparsity.dense_epochs},
            {"gradual_epochs", o.sparsity.gradual_epochs},
            {"learning_rate", o.sparsity.learning_rate}}}};
}

}  // namespace lucivox
