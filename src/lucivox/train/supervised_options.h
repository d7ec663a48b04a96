#pragma once

#include <string>

#include <lucivox/image/border.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/options.h>

namespace lucivox {

// A training from pairs of slices (supervised.h): besides what every training has, how samples are drawn and
// shown, and the loss. The defaults are DDNet's; the settings of its paper are in examples/ddnet-paper.toml.
struct SupervisedOptions : TrainOptions {
  int64_t batch = 1;  // of all ranks together
  int64_t crop = 64;  // side of random square crops in pixels; 0: whole slices
  // Pixels by which every sample is mirrored on at its edge, for the network to read and the loss to leave
  // out: it learns from crops as it will be used on slices (border.h). 0: zeros around every sample, as in
  // the paper.
  int64_t margin = kReflectedMargin;
  double vary_levels = 0.3;      // the share of samples shown at other levels and contrast, levels.h
  bool augment = true;           // mirror and rotate samples at random
  std::string staging = "auto";  // on which device slices are kept, staging.h
  // The paper's 1 leaves nine tenths of the loss to MS-SSIM, which hardly sees levels: see ARCHITECTURE.md.
  LossOptions loss{.mse = 10, .perceptual = {}};

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    TrainOptions::fields(self, visit);
    own_fields(self, visit);
  }
  template <typename Self, typename Visitor>
  static void own_fields(Self& self, Visitor& visit) {
    visit("batch", self.batch);
    visit("crop", self.crop);
    visit("margin", self.margin);
    visit("vary_levels", self.vary_levels);
    visit("augment", self.augment);
    visit.free("staging", self.staging);
    visit.table("loss", self.loss);
  }
};

// What Liu et al., 2020 and their public code train TomoGAN with.
SupervisedOptions tomogan_training();

// Absent keys are as in `defaults`. Throws Error (misuse) for unknown keys and for values that make no
// sense.
SupervisedOptions supervised_options_from_json(const Json& json, const SupervisedOptions& defaults = {});

}  // namespace lucivox
