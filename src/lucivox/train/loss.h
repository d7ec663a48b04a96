#pragma once

#include <ATen/core/Tensor.h>

#include <lucivox/train/perception.h>

namespace lucivox {

// What is minimised, a weighted sum:
//   mse         of values in `levels` grey levels
//   ms_ssim     1 - MS-SSIM with the public reference's "simple" normalisation
//   perceptual  differences of features (perception.h)
//   adversarial how surely a discriminator tells the output from a clean image (adversarial.h)
// The defaults are those of DDNet's paper (Chaturvedi et al., section 1; the poster has 0.2 for MS-SSIM).
// TomoGAN's are 0.5 mse + 2 perceptual + 20 adversarial in 255 grey levels (Liu et al., 2020, eq. 4, and its
// public code).
struct LossOptions {
  double mse = 1;
  double ms_ssim = 0.1;
  double levels = 1;  // that the unit range has
  double adversarial = 0;
  int64_t discriminator_updates = 2;  // for each of the network's
  PerceptualOptions perceptual;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("mse", self.mse);
    visit("ms_ssim", self.ms_ssim);
    visit("levels", self.levels);
    visit("adversarial", self.adversarial);
    visit("discriminator_updates", self.discriminator_updates);
    visit.table("perceptual", self.perceptual);
  }
};

struct Loss {
  at::Tensor total;         // scalar, to differentiate
  at::Tensor mse, ms_ssim;  // scalars, to report; ms_ssim undefined when its weight is 0
};

// The part that follows from the images alone. `output`, `target`: [N, 1, H, W] in unit range.
Loss image_loss(const at::Tensor& output, const at::Tensor& target, const LossOptions& options);

}  // namespace lucivox
