#pragma once

#include <string>

#include <lucivox/base/config.h>
#include <lucivox/image/border.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/train/loss.h>

namespace lucivox {

// When and how the network is made sparse: dense epochs of ordinary training, then pruning, then retraining
// with the masks held (the hybrid schedule of Chaturvedi et al., section 2.2; schedule.h).
struct SparsityOptions {
  PruningOptions pruning;           // criterion, amount and targets of [train.sparsity]
  std::string switching = "fixed";  // key "switch": after dense_epochs; "automatic": when the loss flattens
  int64_t dense_epochs = 25;        // with the automatic switch at most so many
  int64_t gradual_epochs = 1;       // the amount is reached in so many prunings, one an epoch; 1: at once
  double learning_rate = 0;         // of the first sparse epoch; 0: goes on decaying, as in the paper
};

constexpr double kFreezeEarly = -1;  // in configurations: "auto"

// The defaults are the recipe that the benchmark ddnet-recipes compares with others. The settings of DDNet's
// paper are in examples/ddnet-paper.toml.
struct TrainOptions {
  int64_t epochs = 50;
  int64_t batch = 1;  // of all ranks together
  double learning_rate = 2e-3;
  // Adam's memory of squared gradients, about 1 / (1 - beta2) steps. With 0.999 a short training ends with
  // more noise, and far worse at levels that are seldom shown.
  double beta2 = 0.99;
  // Every step's gradients, of all weights together, get the length 1, so that each step, with batches of 1
  // each sample, counts as much: those with many edges have many times the gradients of others, and now and
  // then one would end a training.
  bool normalize_gradients = true;
  std::string schedule = "cosine";  // or "exponential", schedule.h
  double decay = 0.95;              // of the learning rate, in each epoch of the exponential schedule
  int64_t crop = 64;                // side of random square crops in pixels; 0: whole slices
  // Pixels by which every sample is mirrored on at its edge, for the network to read and the loss to leave
  // out: it learns from crops as it will be used on slices (border.h). 0: zeros around every sample, as in
  // the paper.
  int64_t margin = kReflectedMargin;
  double vary_levels = 0.3;  // the share of samples shown at other levels and contrast, levels.h
  uint64_t seed = 1;
  // After so many epochs, or a part of one, batch norms keep their running statistics, so that the network
  // learns as it will be used: a slice's own statistics hide its absolute intensities, which HU must not
  // lose. 0: never; kFreezeEarly: see freezing_step().
  double freeze_norms_after = kFreezeEarly;
  bool augment = true;  // mirror and rotate samples at random
  // Kept apart from what is learnt: how it is computed.
  std::string precision = "fp32";  // precision.h
  std::string staging = "auto";    // where slices wait, staging.h
  bool capture = true;             // on GPUs the step is captured once and repeated, capture.h
  double checkpoint_minutes = 10;  // besides the end of every epoch
  // The paper's 1 leaves nine tenths of the loss to MS-SSIM, which hardly sees levels: see ARCHITECTURE.md.
  LossOptions loss{.mse = 10, .perceptual = {}};
  SparsityOptions sparsity;
};

// What Liu et al., 2020 and their public code train TomoGAN with.
TrainOptions tomogan_training();

// What is not told is as in `defaults`. Throws Error (misuse) for unknown keys and for values that make no
// sense.
TrainOptions train_options_from_json(const Json& json, const TrainOptions& defaults);
TrainOptions train_options_from_json(const Json& json);  // DDNet's
Json to_json(const TrainOptions& options);

}  // namespace lucivox
