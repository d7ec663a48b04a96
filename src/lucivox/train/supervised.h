#pragma once

#include <memory>

#include <lucivox/base/progress.h>
#include <lucivox/image/intensity.h>
#include <lucivox/train/options.h>
#include <lucivox/train/pairs.h>
#include <lucivox/train/ranks.h>
#include <lucivox/train/task.h>

namespace lucivox {

// Supervised enhancement (Chaturvedi et al., section 1): from a low-dose slice to its full-dose twin, in
// batches as sampling.h draws them, staged as loader.h says. `validation` may be null. Slices must outlive
// the task; the network tells the device and the sides that it takes. Throws Error when a slice is smaller
// than a crop, whole slices of one batch could differ in size, or the batch cannot be shared by the ranks.
std::unique_ptr<TrainingTask> supervised(PairedSlices& training, PairedSlices* validation,
                                         const IntensityMapping& intensity, const TrainOptions& options,
                                         const Network& network, const Console& console,
                                         const Ranks& ranks = {});

}  // namespace lucivox
