#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include <lucivox/base/random.h>
#include <lucivox/train/levels.h>

namespace lucivox {
namespace {

constexpr uint64_t kLevelsSeed = 5;  // part of the run's seed, after those of supervised.cpp

// What scanners give: air, with the noise below it, to dense bone and implants.
constexpr double kLowestHu = -1024, kHighestHu = 2048;

// Levels at an end of the range are held from one side only, so each end is drawn so much more often: as
// often as this part of the range.
constexpr double kEnds = 0.1;

constexpr double kEdge = 1;  // pixels over which an ellipse fades, about a scanner's own blur

// How one sample changes. Lengths are parts of its side.
struct Change {
  bool changes = false;
  double level = 0, gain = 1, noise = 1;
  double row = 0.5, column = 0.5, radius_row = 1, radius_column = 1, turn = 0;
};

Change draw(Random& random, double share, double low, double high) {
  Change change;
  change.changes = random.uniform() < share;
  const double beyond = kEnds * (high - low);
  change.level = std::clamp(random.uniform(low - beyond, high + beyond), low, high);
  change.gain = std::max(random.uniform(-0.5, 1), 0.0);  // a third is of one value
  change.row = random.uniform();
  change.column = random.uniform();
  // from a vessel to all of a sample, small ones as often as large ones
  change.radius_row = 0.02 * std::pow(100, random.uniform());
  change.radius_column = change.radius_row * std::pow(3, random.uniform(-1, 1));
  change.turn = random.uniform(0, std::numbers::pi);
  change.noise = std::max(random.uniform(-0.25, 1), 0.0);  // a fifth has none
  return change;
}

// Columns of a tensor [N, k] that the formulas read.
enum Column : int64_t { Changes, Level, Gain, Row, ColumnAt, RadiusRow, RadiusColumn, Turn, Noise };

std::vector<double> numbers_of(const Change& c) {
  return {c.changes ? 1.0 : 0.0, c.level,         c.gain, c.row,  c.column,
          c.radius_row,          c.radius_column, c.turn, c.noise};
}

// [N, 1, rows, columns]: 1 inside, 0 outside.
at::Tensor ellipses(const at::Tensor& of, int64_t rows, int64_t columns) {
  const auto column = [&](Column i) { return of.select(1, i).view({-1, 1, 1, 1}); };
  const auto side = static_cast<double>(std::min(rows, columns));
  const at::Tensor y = at::arange(rows, of.options()).view({1, 1, -1, 1}) - column(Row) * rows,
                   x = at::arange(columns, of.options()).view({1, 1, 1, -1}) - column(ColumnAt) * columns;
  const at::Tensor cosine = column(Turn).cos(), sine = column(Turn).sin();
  const at::Tensor along = (cosine * x + sine * y) / (column(RadiusColumn) * side),
                   across = (cosine * y - sine * x) / (column(RadiusRow) * side);
  // pixels to the edge, to first order
  const at::Tensor distance = (1 - (along.square() + across.square()).sqrt()) *
                              at::minimum(column(RadiusRow), column(RadiusColumn)) * side;
  return at::sigmoid(4 / kEdge * distance);
}

}  // namespace

Levels::Levels(const SupervisedOptions& options, const IntensityMapping& intensity)
    : seed_(derive_seed(options.seed, kLevelsSeed)), share_(options.vary_levels), low_(0), high_(1) {
  if (intensity.kind == IntensityMapping::Kind::Window && intensity.units == Units::HU) {
    low_ = (kLowestHu - intensity.low) / (intensity.high - intensity.low);
    high_ = (kHighestHu - intensity.low) / (intensity.high - intensity.low);
  }
}

Batch Levels::changed(const Batch& batch, int64_t epoch, int64_t first) const {
  if (share_ == 0) return batch;
  std::vector<double> numbers;
  const int64_t samples = batch.full.size(0);
  for (int64_t i = 0; i < samples; ++i) {
    Random random(derive_seed(seed_, static_cast<uint64_t>(epoch)), static_cast<uint64_t>(first + i));
    const std::vector<double> of = numbers_of(draw(random, share_, low_, high_));
    numbers.insert(numbers.end(), of.begin(), of.end());
  }
  const at::Tensor changes =
      at::tensor(numbers, at::kDouble).view({samples, -1}).to(batch.full.device(), at::kFloat, true);
  const auto column = [&](Column i) { return changes.select(1, i).view({-1, 1, 1, 1}); };
  const at::Tensor &full = batch.full, noise = batch.low - full;
  const at::Tensor mean = full.mean({1, 2, 3}, true);
  // as much contrast as the range has room for around that level
  const at::Tensor room =
      at::minimum((column(Level) - low_) / (mean - full.amin({1, 2, 3}, true)).clamp_min(1e-6),
                  (high_ - column(Level)) / (full.amax({1, 2, 3}, true) - mean).clamp_min(1e-6));
  const at::Tensor gain = column(Gain) * room.clamp(0, 1);
  const at::Tensor mask = column(Changes) * ellipses(changes, full.size(2), full.size(3));
  const at::Tensor changed = full + mask * (column(Level) + gain * (full - mean) - full);
  return {changed + (1 - mask * (1 - column(Noise))) * noise, changed};
}

}  // namespace lucivox
