#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/image/image.h>

namespace lucivox {

// One slice scanned twice: float32 [Y, X] in the same units (HU), of one size.
struct SlicePair {
  at::Tensor low, full;
};

// What supervised training learns from: pairs of slices, read when they are needed.
class PairedSlices {
 public:
  virtual ~PairedSlices() = default;
  virtual int64_t count() const = 0;
  // The slices that lie on each other with this one among them: the first, and how many.
  struct Stack {
    int64_t first, count;
  };
  virtual Stack stack_of(int64_t index) const = 0;
  // Of all values; Unknown where pairs differ.
  virtual Units units() const = 0;
  // Y, X of a pair, without reading it.
  virtual std::array<int64_t, 2> shape(int64_t index) const = 0;
  // For messages: "LQ/slice_0007.tif".
  virtual std::string name(int64_t index) const = 0;
  // Throws Error when the files are damaged or hold NaN.
  virtual SlicePair read(int64_t index) = 0;
};

// Pairs of volumes, slice by slice: volume v gives shape[0] pairs. Each volume is a stack, and volumes of one
// slice that follow each other are one, as long as they are of one size (the files of a folder). Sources are
// opened anew for every read, so that thousands of files do not stay open.
struct VolumePair {
  using Opener = std::function<std::unique_ptr<ImageSource>()>;
  Opener low, full;
};

// Throws Error when two volumes of a pair differ in size, or when there are no pairs.
std::unique_ptr<PairedSlices> paired_slices(std::vector<VolumePair> volumes);

// Slices that a training does not see, so that it can be judged by them.
struct Division {
  std::unique_ptr<PairedSlices> training, validation;
};
// Every tenth slice, at least 2, spread over all; of 4 and more stacks (patients) whole ones, at least 1; for
// a network that reads `depth` > 1 adjacent slices the last tenth of what is one stack. Nothing to validate
// on when there is too little to divide.
Division hold_out(const std::shared_ptr<PairedSlices>& all, int64_t depth);

// A text that changes when names, sizes or order of the pairs do; a run is resumed with the same data only.
std::string fingerprint(const PairedSlices& pairs);

}  // namespace lucivox
