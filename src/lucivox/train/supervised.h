#pragma once

#include <memory>

#include <lucivox/base/reporter.h>
#include <lucivox/image/intensity.h>
#include <lucivox/train/pairs.h>
#include <lucivox/train/ranks.h>
#include <lucivox/train/supervised_options.h>
#include <lucivox/train/task.h>

namespace lucivox {

// In which values are judged, everywhere: HU in that of quality.h, others in the network's own.
QualityWindow quality_window(const IntensityMapping& intensity);

// Supervised enhancement (Chaturvedi et al., section 1): from a low-dose slice, or several adjacent ones, to
// the full-dose twin, in batches as sampling.h draws them, staged as loader.h says. Where the loss has an
// adversarial part, TomoGAN's discriminator learns against the network (Liu et al., 2020): a step is one
// update of the network and some of the discriminator, each on the next batch. `validation` may be null; its
// loss is that of the images alone. Slices must outlive the task; the network tells the device and the sides
// that it takes. Throws Error when a slice is smaller than a crop, a stack thinner than the network is deep,
// whole slices of one batch could differ in size, the batch cannot be shared by the ranks, or the weights of
// a perceptual loss cannot be read.
std::unique_ptr<TrainingTask> supervised(PairedSlices& training, PairedSlices* validation,
                                         const IntensityMapping& intensity, const SupervisedOptions& options,
                                         const Network& network, Reporter& reporter, const Ranks& ranks = {});

}  // namespace lucivox
