#pragma once

#include <filesystem>
#include <optional>

#include <lucivox/base/config.h>
#include <lucivox/train/records.h>
#include <lucivox/train/tensorboard.h>

namespace lucivox {

// The folder of one training run:
//
//   run.json                       marks the folder as a run: version, time, resolved configuration
//   metrics.jsonl                  a line for every step, epoch and event
//   events.out.tfevents.*          the same numbers for TensorBoard
//   checkpoints/last.safetensors   where to resume
//   checkpoints/dense.safetensors  the dense network right before it was pruned, where runs with another
//                                  sparse schedule may branch off
//   checkpoints/best.safetensors   a model with the best weights of the last phase, by validation
//   checkpoints/best-dense.safetensors  likewise of dense epochs, while pruning is to come
//   model.safetensors              the trained model, when finished: the best weights of the last phase
//   model-last.safetensors         the same with the last weights, where these are others
//   model-dense.safetensors        the best dense network, where the run pruned it afterwards
class RunFolder {
 public:
  // A new run with its resolved configuration. Throws Error (misuse) when `path` already holds a run.
  static RunFolder create(const std::filesystem::path& path, const Json& configuration);
  // A run that ended before its first checkpoint, from the beginning.
  static RunFolder restart(const std::filesystem::path& path, const Json& configuration);
  // A run to go on with, from now on by this configuration. Throws Error when `path` is not a run folder or
  // has no checkpoint yet.
  static RunFolder resume(const std::filesystem::path& path, const Json& configuration);
  // A run that another rank keeps: nothing is recorded here.
  static RunFolder watch(const std::filesystem::path& path) { return {path, std::nullopt}; }
  static bool is_run(const std::filesystem::path& path);
  // What a run was started with. Throws Error when `path` is not a run folder.
  static Json configuration_of(const std::filesystem::path& path);
  // The lines of its metrics.jsonl, without those that are damaged.
  static RunRecords records_of(const std::filesystem::path& path);
  static std::filesystem::path checkpoint_of(const std::filesystem::path& path);
  static std::filesystem::path dense_checkpoint_of(const std::filesystem::path& path);
  static std::filesystem::path best_of(const std::filesystem::path& path);
  static std::filesystem::path dense_best_of(const std::filesystem::path& path);
  static std::filesystem::path model_of(const std::filesystem::path& path);
  static std::filesystem::path dense_model_of(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint() const { return checkpoint_of(path_); }
  std::filesystem::path dense_checkpoint() const { return dense_checkpoint_of(path_); }
  std::filesystem::path best() const { return best_of(path_); }
  std::filesystem::path dense_best() const { return dense_best_of(path_); }
  std::filesystem::path model() const { return model_of(path_); }
  std::filesystem::path last_model() const { return path_ / "model-last.safetensors"; }
  std::filesystem::path dense_model() const { return dense_model_of(path_); }

  // One line of metrics.jsonl; its numbers also go to TensorBoard under their names.
  void record(const RunRecord& record);
  // Forgets what was recorded after `step`: a killed run may have gone on after its last checkpoint.
  void forget_after(int64_t step);
  RunRecords records() const { return records_of(path_); }

 private:
  RunFolder(const std::filesystem::path& path, std::optional<EventWriter> events)
      : path_(path), events_(std::move(events)) {}

  std::filesystem::path path_;
  std::optional<EventWriter> events_;  // nothing: only watched
};

}  // namespace lucivox
