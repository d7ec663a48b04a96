#pragma once

#include <string>

#include <lucivox/base/fields.h>
#include <lucivox/sparse/criterion.h>

namespace lucivox {

// When and how the network is made sparse: dense epochs of ordinary training, then pruning, then retraining
// with the masks held (the hybrid schedule of Chaturvedi et al., section 2.2; schedule.h).
struct SparsityOptions {
  PruningOptions pruning;           // criterion, amount and targets of [train.sparsity]
  std::string switching = "fixed";  // key "switch": after dense_epochs; "automatic": when the loss flattens
  int64_t dense_epochs = 25;        // with the automatic switch at most so many
  int64_t gradual_epochs = 1;       // the amount is reached in so many prunings, one per epoch; 1: at once
  double learning_rate = 0;         // of the first sparse epoch; 0: goes on decaying, as in the paper

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    PruningOptions::fields(self.pruning, visit);
    visit("switch", self.switching);
    visit("dense_epochs", self.dense_epochs);
    visit("gradual_epochs", self.gradual_epochs);
    visit("learning_rate", self.learning_rate);
  }
};

constexpr double kFreezeEarly = -1;  // in configurations: "auto"

// What every training has, of whatever task; a task adds options of its own (supervised_options.h). The
// defaults are the recipe that the benchmark ddnet-recipes compares with others.
struct TrainOptions {
  int64_t epochs = 50;
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
  uint64_t seed = 1;
  // After so many epochs, or a part of one, batch norms keep their running statistics, so that the network
  // learns as it will be used: a slice's own statistics hide its absolute intensities, which HU must not
  // lose. 0: never; kFreezeEarly: see freezing_step().
  double freeze_norms_after = kFreezeEarly;
  std::string precision = "fp32";  // precision.h
  bool capture = true;             // on GPUs the step is captured once and repeated, capture.h
  double checkpoint_minutes = 10;  // besides the end of every epoch
  SparsityOptions sparsity;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit.free("epochs", self.epochs);
    visit("learning_rate", self.learning_rate);
    visit("beta2", self.beta2);
    visit("normalize_gradients", self.normalize_gradients);
    visit("decay", self.decay);
    visit("schedule", self.schedule);
    visit("seed", self.seed);
    visit("freeze_norms_after", AutoOr{self.freeze_norms_after, kFreezeEarly});
    visit("precision", self.precision);
    visit.free("capture", self.capture);
    visit.free("checkpoint_minutes", self.checkpoint_minutes);
    visit.table("sparsity", self.sparsity);
  }
};

// Throws Error (misuse) for values that make no sense.
void check(const TrainOptions& options);

}  // namespace lucivox
