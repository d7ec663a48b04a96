#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/reporter.h>
#include <lucivox/image/intensity.h>
#include <lucivox/train/pairs.h>
#include <lucivox/train/ranks.h>
#include <lucivox/train/sampling.h>
#include <lucivox/train/staging.h>
#include <lucivox/train/transfers.h>

namespace lucivox {

// Pairs in unit range, on the device that trains, float32: `low` [N, depth, H, W], as many adjacent slices as
// the network reads, `full` [N, 1, H, W], the middle one's truth.
struct Batch {
  at::Tensor low, full;
};

// Gives every step its batch: this rank's share of the samples that `sampling` draws for it.
class Loader {
 public:
  virtual ~Loader() = default;
  virtual Batch batch(int64_t epoch, int64_t step) = 0;
  // Since the beginning.
  virtual const Transfers& moved() const = 0;
};

struct LoaderSetting {
  PairedSlices& pairs;
  IntensityMapping intensity;
  SupervisedOptions options;
  int64_t multiple;  // of the network, for the sides of its input
  c10::Device device;
  Ranks ranks;
  int64_t depth = 1;  // adjacent slices that the network reads
};

// A set that is staged is read once, every rank a share of it that it passes on to the others; samples are
// cut, mirrored and turned by one gather a side where it lies. A set that is not is read ahead in threads.
// Both give the same batches. Tells through `reporter` what was chosen and why. Throws Error for what cannot
// be read.
std::unique_ptr<Loader> open_loader(const LoaderSetting& setting, Reporter& reporter);

// Both slices of a pair in unit range [1, 1, Y, X], by the mapping of the low-dose one, the only one there is
// when the network is used.
Batch in_unit_range(const SlicePair& pair, const IntensityMapping& intensity);

// The `depth` adjacent slices with slice `index` in the middle; at a stack's ends its outermost slice is
// repeated.
std::vector<int64_t> neighbours(const PairedSlices& pairs, int64_t index, int64_t depth);

// A batch of one whole slice with its neighbours.
Batch read_whole(PairedSlices& pairs, int64_t index, int64_t depth, const IntensityMapping& intensity);

// The part of [1, C, Y, X] slices that a sample is.
at::Tensor cut(const at::Tensor& slice, const Sample& sample);

}  // namespace lucivox
