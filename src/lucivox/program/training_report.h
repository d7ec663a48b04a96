#pragma once

#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/program/report.h>
#include <lucivox/program/training.h>

namespace lucivox {

// The page about a finished training: what was gained, what went wrong, pictures and curves. `records`:
// those of its run.
ReportContent training_report(const TrainingJob& job, const TrainingConfiguration& configuration,
                              const TrainingSummary& summary, const RunRecords& records,
                              std::vector<ReportPicture> pictures);

}  // namespace lucivox
