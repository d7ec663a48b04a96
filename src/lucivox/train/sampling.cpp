#include <utility>

#include <lucivox/base/random.h>
#include <lucivox/train/sampling.h>

namespace lucivox {
namespace {

// Streams of random numbers that are drawn from a run's seed.
enum Stream : uint64_t { Order = 1, Parts = 2 };

Sample random_square(int64_t slice, const std::array<int64_t, 2>& shape, int64_t side, Random& random) {
  Sample square{slice, 0, 0, side, side};
  square.top = random.integer(shape[0] - side + 1);
  square.left = random.integer(shape[1] - side + 1);
  return square;
}

// One of the 8 ways to lay a square down, of the 4 for another rectangle.
void lay_at_random(Sample& sample, Random& random) {
  sample.mirrored = random.integer(2) == 1;
  sample.turns = sample.rows == sample.columns ? random.integer(4) : 2 * random.integer(2);
}

}  // namespace

Sampling::Sampling(std::vector<std::array<int64_t, 2>> shapes, const SupervisedOptions& options,
                   int64_t multiple)
    : shapes_(std::move(shapes)),
      batch_(options.batch),
      crop_(options.crop),
      multiple_(multiple),
      augment_(options.augment),
      seed_(options.seed) {}

int64_t Sampling::steps_per_epoch() const {
  return static_cast<int64_t>(shapes_.size()) / batch_;
}

std::vector<Sample> Sampling::step(int64_t epoch, int64_t step) {
  const std::vector<int64_t>& order = order_of(epoch);
  const auto slices = static_cast<int64_t>(shapes_.size());
  std::vector<Sample> samples;
  for (int64_t i = step * batch_; i < (step + 1) * batch_; ++i) {
    Random random(derive_seed(seed_, Parts), static_cast<uint64_t>(epoch * slices + i));
    const int64_t slice = order[static_cast<size_t>(i)];
    const auto& shape = shapes_[static_cast<size_t>(slice)];
    samples.push_back(crop_ > 0 ? random_square(slice, shape, crop_, random)
                                : middle_of(slice, shape, multiple_));
    if (augment_) lay_at_random(samples.back(), random);
  }
  return samples;
}

const std::vector<int64_t>& Sampling::order_of(int64_t epoch) {
  if (epoch != ordered_epoch_) {
    order_ = Random(derive_seed(seed_, Order), static_cast<uint64_t>(epoch))
                 .permutation(static_cast<int64_t>(shapes_.size()));
    ordered_epoch_ = epoch;
  }
  return order_;
}

Sample middle_of(int64_t slice, std::array<int64_t, 2> shape, int64_t multiple) {
  Sample middle{slice, 0, 0, shape[0] / multiple * multiple, shape[1] / multiple * multiple};
  middle.top = (shape[0] - middle.rows) / 2;
  middle.left = (shape[1] - middle.columns) / 2;
  return middle;
}

}  // namespace lucivox
