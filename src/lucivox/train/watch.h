#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lucivox/train/task.h>

namespace lucivox {

// "RMSE 28.0 HU (low dose 42.0), PSNR 37.33 dB, SSIM 0.9320, MS-SSIM 0.9894"
std::string validation_text(const Validation& validation, const std::optional<Validation>& baseline);

// Below these a training is too short for its result to be trusted.
constexpr int64_t kFewSteps = 2000, kFewSlices = 24;

// Looks at a training at the end of every epoch and names what goes wrong while it happens. Each kind of
// trouble is named when it begins, not in every epoch that it lasts.
class Watch {
 public:
  // `epochs`: of the whole training. `freezing_step`: as in schedule.h.
  Watch(int64_t epochs, std::optional<int64_t> freezing_step)
      : epochs_(epochs), freezing_step_(freezing_step) {}

  // Before the first epoch, or when a training is resumed.
  void begin(const std::optional<Validation>& baseline) { baseline_ = baseline; }
  // After `epoch` (from 0), when `steps` steps are done, with the mean training loss and what validation
  // gave; the warnings of this epoch.
  std::vector<std::string> after(int64_t epoch, int64_t steps, double loss,
                                 const std::optional<Validation>& validation);
  // The training has pruned: earlier epochs do not count.
  void begin_phase();

 private:
  // Whether a kind of trouble begins.
  static bool begins(bool& lasts, bool now);

  int64_t epochs_;
  std::optional<int64_t> freezing_step_;  // until it has been judged
  std::optional<Validation> baseline_;
  std::optional<double> lowest_loss_;
  std::optional<double> live_rmse_;  // before batch norms froze
  int64_t last_steps_ = 0;           // at the end of the last validated epoch
  int64_t risen_epochs_ = 0;         // in which the loss was far above its lowest, one after another
  int64_t worse_epochs_ = 0;         // in which slices came out worse than they were, likewise
  bool diverges_ = false, worse_ = false;
};

// The warning at the end of a training whose result, the best of its last phase, is worse than its input or
// not finite.
std::optional<std::string> worse_than_input(const Validation& best, const std::optional<Validation>& baseline,
                                            int64_t steps);

}  // namespace lucivox
