#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <lucivox/sparse/mask.h>
#include <lucivox/train/learner.h>
#include <lucivox/train/options.h>
#include <lucivox/train/schedule.h>
#include <lucivox/train/task.h>

namespace lucivox {

// Where a run stands: `step` steps of epoch `epoch` (both from 0) are done.
struct Position {
  int64_t epoch = 0, step = 0;
  double loss_sum = 0;  // of this epoch's steps so far
  double opponent_loss_sum = 0;
  double seconds = 0;  // of training, over all sittings
};

// The best weights of a phase, by validation; they are in the run folder's best().
struct Best {
  int64_t epoch = 0;  // from 0
  Validation validation;
};

// Everything that the next step depends on, so that a resumed run goes on bit for bit.
struct Checkpoint {
  Position position;
  std::vector<double> losses;        // of every finished epoch, the mean over its steps
  std::optional<Switch> switched;    // to sparse epochs; nothing while the network is dense
  Masks masks;                       // of the whole network; empty while it is dense
  std::optional<Shrinking> removed;  // what the network is trained without
  std::optional<Best> best;          // of the phase under way; nothing without validation
};

// What the course of a training depends on besides its seed's network.
struct Course {
  Json options;      // of the loop and of the task, but for what is free to change (Fields::Decisive)
  std::string data;  // the training data's fingerprint
};
Course course_of(const TrainOptions& options, const TrainingTask& task);

// Written whole or not at all, as safetensors; of a shrunk network the whole one, pruned weights zero at
// their own places. `opponent` may be null.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint, const Learner& learner,
                     const Learner* opponent, const Course& course);

// Puts weights, loss scales and optimisers of the whole network and its opponent back. Throws Error when the
// file is missing, damaged, of another network, of other data, or of other options (the number of epochs, the
// time between checkpoints, and where and how the same is computed may change).
Checkpoint load_checkpoint(const std::filesystem::path& path, Learner& learner, Learner* opponent,
                           const Course& course);

// Makes the end of a dense epoch in `from` the beginning of a run with another sparse schedule: training goes
// on from `to` as if it had followed `schedule` and `options`, those of its course, from its first step.
// Throws Error when that is impossible: the network is sparse already, the new schedule would have pruned it
// before, or options differ outside of sparsity.
void branch_checkpoint(const std::filesystem::path& from, const std::filesystem::path& to,
                       const SparsityOptions& schedule, const Json& options);

}  // namespace lucivox
