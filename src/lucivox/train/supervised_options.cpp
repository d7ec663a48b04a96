#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/staging.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox {
namespace {

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

void check_all(const SupervisedOptions& o) {
  check(o);
  require(o.batch >= 1, fmt::format("train.batch must be at least 1, but is {}", o.batch), "1 is usual");
  require(o.crop == 0 || o.crop >= 16,
          fmt::format("train.crop must be 0 or at least 16 pixels, but is {}", o.crop),
          "0 means whole slices");
  require(o.margin >= 0 && o.margin <= 512,
          fmt::format("train.margin must be between 0 and 512 pixels, but is {}", o.margin), "16 is usual");
  require(o.vary_levels >= 0 && o.vary_levels <= 1,
          fmt::format("train.vary_levels must be between 0 and 1, but is {}", o.vary_levels),
          "it is the share of samples that are shown at other levels");
  require_staging(o.staging);
  check_loss(o.loss, o.crop);
}

}  // namespace

SupervisedOptions tomogan_training() {
  SupervisedOptions o;
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

SupervisedOptions supervised_options_from_json(const Json& json, const SupervisedOptions& defaults) {
  SupervisedOptions o = defaults;
  read_fields(json, "train", o);
  const bool of_ddnet = !defaults.loss.perceptual.wanted();
  if (of_ddnet && o.loss.perceptual.network == "vgg19" &&
      !json.contains(Json::json_pointer("/loss/perceptual/blocks")))
    o.loss.perceptual.blocks = kBlocksOfVgg19;
  check_all(o);
  return o;
}

}  // namespace lucivox
