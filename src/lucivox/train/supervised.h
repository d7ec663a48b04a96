#pragma once

#include <memory>

#include <lucivox/image/intensity.h>
#include <lucivox/train/pairs.h>
#include <lucivox/train/trainer.h>

namespace lucivox {

// Supervised enhancement (Chaturvedi et al., section 1): from a low-dose slice to its full-dose twin. Every
// epoch shows all pairs in a new random order, options.batch at a time (a last, smaller rest is left to later
// epochs); with options.crop a random square of each, else the whole slice, cut to the network's multiple.
// `validation` may be null. Both must outlive the task.
// Throws Error when a slice is smaller than a crop, or whole slices of one batch could differ in size.
std::unique_ptr<TrainingTask> supervised(PairedSlices& training, PairedSlices* validation,
                                         const IntensityMapping& intensity, const TrainOptions& options,
                                         const Graph& graph);

}  // namespace lucivox
