#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/image/intensity.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox {

// Chests show a network few levels but those of air, fat and water. So that it keeps all others, too, from
// air to metal, some samples have an insert, a soft-edged ellipse of another level and contrast:
//   full' = full + M (t + g (full - m) - full),  low' = full' + (1 - M (1 - n)) (low - full)
// M is 1 inside, m the mean of `full`, t a level drawn from the range that scanners have, its ends more
// often, g a gain from 0 (a region of one value) to 1, and n the part of the noise that stays, from 0 to 1: a
// network that only saw much noise would change what has hardly any. Drawn from the seed, the epoch and a
// sample's number alone.
class Levels {
 public:
  Levels(const SupervisedOptions& options, const IntensityMapping& intensity);

  // Changes a batch, in unit range, of which `first` is the number of its first sample in the epoch.
  Batch changed(const Batch& batch, int64_t epoch, int64_t first) const;

 private:
  uint64_t seed_;
  double share_;       // of the samples
  double low_, high_;  // levels, in unit range
};

}  // namespace lucivox
