#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <lucivox/train/supervised_options.h>

namespace lucivox {

// A square or rectangle of a slice, turned by `turns` quarters counter-clockwise after it was mirrored left
// to right. `rows` and `columns` are those of the result.
struct Sample {
  int64_t slice = 0;
  int64_t top = 0, left = 0;  // of the part that is cut out
  int64_t rows = 0, columns = 0;
  int64_t turns = 0;
  bool mirrored = false;
};

// Which parts of which slices a step learns from: every epoch shows all slices in a new random order, `batch`
// at a time (a last, smaller rest is left to later epochs); with options.crop a random square of each, else
// the largest middle part whose sides are multiples of the network's. With options.augment each is mirrored
// and turned at random. A pure function of the seed, the epoch and the step: every rank draws the same.
class Sampling {
 public:
  // `shapes`: rows, columns of every slice.
  Sampling(std::vector<std::array<int64_t, 2>> shapes, const SupervisedOptions& options, int64_t multiple);

  int64_t steps_per_epoch() const;
  // The options.batch samples of a step.
  std::vector<Sample> step(int64_t epoch, int64_t step);

 private:
  const std::vector<int64_t>& order_of(int64_t epoch);

  std::vector<std::array<int64_t, 2>> shapes_;
  int64_t batch_, crop_, multiple_;
  bool augment_;
  uint64_t seed_;
  std::vector<int64_t> order_;
  int64_t ordered_epoch_ = -1;
};

// The middle part of a slice whose sides are multiples of the network's.
Sample middle_of(int64_t slice, std::array<int64_t, 2> shape, int64_t multiple);

}  // namespace lucivox
