#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/program/training_configuration.h>
#include <lucivox/program/training_judgement.h>
#include <lucivox/train/trainer.h>

namespace lucivox {

// The arguments of `train NETWORK`.
struct TrainingJob {
  std::string network = "ddnet";  // of trainings()
  std::string name = "ddnet";     // of the model
  Json configuration;
  std::filesystem::path run;
  Start start = Start::Fresh;
  std::string device = "cpu";
  Ranks ranks;                   // that train together; the first one keeps the run
  bool total_variation = false;  // whether the result is compared with that, at its best strength
};

struct TrainingSummary {
  TrainResult result;
  std::optional<BeforeAfter> quality;  // nothing without validation data, or when stopped early
  Json json;                           // what summary.json holds
};

// Throws Error (misuse) when the run folder is among `inputs` or inside one of them. Data may be inside of
// it.
void require_run_outside(const std::filesystem::path& run, const std::vector<std::filesystem::path>& inputs);

// Trains, and when it is finished leaves in the run folder model.safetensors, pictures/*.png, report.html
// and, last of all, summary.json; other ranks than the first leave it to that one, and give the result alone.
// Throws Error as the parts do, and when ranks were told different things.
TrainingSummary run_training(const TrainingJob& job, Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
