#pragma once

#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/program/report.h>
#include <lucivox/program/training.h>

namespace lucivox {

// The page about a finished training: what was gained, what went wrong, pictures and curves. `metrics`: the
// lines of its metrics.jsonl.
ReportContent training_report(const TrainingJob& job, const TrainingConfiguration& configuration,
                              const TrainingSummary& summary, const std::vector<Json>& metrics,
                              std::vector<ReportPicture> pictures);

}  // namespace lucivox
