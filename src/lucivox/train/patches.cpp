#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/train/annotation.h>
#include <lucivox/train/patches.h>

namespace lucivox {
namespace {

constexpr uint64_t kStream =
    3;  // of random numbers that are drawn from a run's seed; sampling.cpp has others
constexpr double kSameSpacing = 0.01;
constexpr double kGainSigma = 0.2, kGammaSigma = 0.2, kShiftSigma = 0.05;  // of logarithms; in unit range

struct Plane {
  size_t first, second;
};
constexpr std::array<Plane, 3> kPlanes{Plane{1, 2}, Plane{0, 2}, Plane{0, 1}};

// Whether a patch may be turned there without turning cubes into bricks.
bool square(const Plane& plane, const std::array<double, 3>& spacing_um, const Region& region) {
  const double a = spacing_um[plane.first], b = spacing_um[plane.second];
  return std::abs(a - b) <= kSameSpacing * std::max(a, b) &&
         region.size[plane.first] == region.size[plane.second];
}

at::Tensor cut(const at::Tensor& volume, const Patch& patch) {
  at::Tensor part = volume;
  for (int64_t axis = 0; axis < 3; ++axis)
    part = part.narrow(axis, patch.region.begin[static_cast<size_t>(axis)],
                       patch.region.size[static_cast<size_t>(axis)]);
  for (size_t i = 0; i < kPlanes.size(); ++i)
    part = at::rot90(part, patch.turns[i],
                     {static_cast<int64_t>(kPlanes[i].first), static_cast<int64_t>(kPlanes[i].second)});
  for (int64_t axis = 0; axis < 3; ++axis) {
    if (patch.mirrored[static_cast<size_t>(axis)]) part = part.flip(axis);
  }
  return part.contiguous();
}

}  // namespace

void check(const PatchOptions& options) {
  if (options.patch < 1 || options.patch > 1024)
    throw Error::misuse(fmt::format("train.patch: {} voxels", options.patch),
                        "give 1 to 1024; 48 to 96 are usual");
  if (!(options.background >= 0 && options.background <= 1))
    throw Error::misuse(fmt::format("train.background: {:g}", options.background),
                        "it is a share, from 0 to 1");
}

PatchSampling::PatchSampling(const std::vector<at::Tensor>& labels,
                             std::vector<std::array<double, 3>> spacings_um, const PatchOptions& options,
                             uint64_t seed)
    : spacings_um_(std::move(spacings_um)), options_(options), seed_(seed) {
  check(options);
  const auto add = [](Known& known, const at::Tensor& which) {
    known.voxels.push_back(which.flatten().nonzero().flatten());
    known.count += known.voxels.back().size(0);
  };
  for (const at::Tensor& volume : labels) {
    shapes_.push_back({volume.size(0), volume.size(1), volume.size(2)});
    add(objects_, (volume != 0).logical_and(volume != kUnknown));
    add(background_, volume == 0);
  }
  if (objects_.count + background_.count == 0)
    throw Error("nothing is known of any voxel", "give labels, or the places of some cells");
}

std::array<int64_t, 2> PatchSampling::nth(const Known& known, int64_t n) {
  for (int64_t volume = 0;; ++volume) {
    const at::Tensor& voxels = known.voxels[static_cast<size_t>(volume)];
    if (n < voxels.size(0)) return {volume, voxels[n].item<int64_t>()};
    n -= voxels.size(0);
  }
}

Patch PatchSampling::sample(int64_t number) const {
  Random random(derive_seed(seed_, kStream), static_cast<uint64_t>(number));
  const bool wants_background = random.uniform() < options_.background;
  const bool of_background = objects_.count == 0 || (wants_background && background_.count > 0);
  const Known& known = of_background ? background_ : objects_;
  const auto [volume, voxel] = nth(known, random.integer(known.count));
  const std::array<int64_t, 3>& shape = shapes_[static_cast<size_t>(volume)];
  const std::array<int64_t, 3> at{voxel / (shape[1] * shape[2]), voxel / shape[2] % shape[1],
                                  voxel % shape[2]};

  Patch patch;
  patch.volume = volume;
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t side = std::min(options_.patch, shape[axis]);
    patch.region.size[axis] = side;
    patch.region.begin[axis] = std::clamp<int64_t>(at[axis] - random.integer(side), 0, shape[axis] - side);
  }
  if (!options_.augment) return patch;
  for (size_t i = 0; i < kPlanes.size(); ++i) {
    const int64_t turns = random.integer(4);
    if (square(kPlanes[i], spacings_um_[static_cast<size_t>(volume)], patch.region)) patch.turns[i] = turns;
  }
  for (bool& mirrored : patch.mirrored) mirrored = random.integer(2) == 1;
  patch.gain = std::exp(random.normal(0, kGainSigma));
  patch.gamma = std::exp(random.normal(0, kGammaSigma));
  patch.shift = random.normal(0, kShiftSigma);
  return patch;
}

at::Tensor cut_image(const at::Tensor& image, const Patch& patch) {
  const at::Tensor part = cut(image, patch);
  // values below 0, darker than nearly all of the volume, keep their sign
  return at::sign(part) * part.abs().pow(patch.gamma) * patch.gain + patch.shift;
}

at::Tensor cut_labels(const at::Tensor& labels, const Patch& patch) {
  return cut(labels, patch);
}

}  // namespace lucivox
