#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/train/annotation.h>

namespace lucivox {
namespace {

at::Tensor part(const at::Tensor& volume, const Region& region) {
  at::Tensor cut = volume;
  for (size_t axis = 0; axis < 3; ++axis)
    cut = cut.narrow(static_cast<int64_t>(axis), region.begin[axis], region.size[axis]);
  return cut;
}

// The voxels that are not farther from a place than `reach`, as far as the volume has them.
Region around(const PointUm& place, double reach, const std::array<int64_t, 3>& shape,
              const std::array<double, 3>& spacing_um) {
  Region region;
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto voxel = [&](double um) { return um / spacing_um[axis]; };
    const auto first = static_cast<int64_t>(std::ceil(voxel(place[axis] - reach))),
               last = static_cast<int64_t>(std::floor(voxel(place[axis] + reach)));
    region.begin[axis] = std::clamp<int64_t>(first, 0, shape[axis]);
    region.size[axis] = std::max<int64_t>(std::min(last + 1, shape[axis]) - region.begin[axis], 0);
  }
  return region;
}

// The distance of every voxel of a region from a place, in micrometres.
at::Tensor distances(const PointUm& place, const Region& region, const std::array<double, 3>& spacing_um) {
  at::Tensor squared = at::zeros({1, 1, 1}, at::kDouble);
  for (size_t axis = 0; axis < 3; ++axis) {
    std::vector<int64_t> along(3, 1);
    along[axis] = region.size[axis];
    const at::Tensor voxels =
        at::arange(region.begin[axis], region.begin[axis] + region.size[axis], at::kDouble);
    squared = squared + (voxels * spacing_um[axis] - place[axis]).square().view(along);
  }
  return squared.sqrt().to(at::kFloat);
}

void check(const std::array<int64_t, 3>& shape, const std::array<double, 3>& spacing_um,
           const std::vector<PointUm>& places, const std::vector<Region>& complete, const Balls& balls) {
  for (const double length : {spacing_um[0], spacing_um[1], spacing_um[2], balls.radius_um}) {
    if (!(length > 0) || !std::isfinite(length))
      throw Error::misuse(fmt::format("a radius of {:g} um and voxels of {:g} um", balls.radius_um,
                                      fmt::join(spacing_um, " x ")),
                          "both must be above 0");
  }
  if (!(balls.shell_um >= 0) || !std::isfinite(balls.shell_um))
    throw Error::misuse(fmt::format("a shell of {:g} um", balls.shell_um), "it must not be below 0");
  for (const PointUm& place : places) {
    for (size_t axis = 0; axis < 3; ++axis) {
      const double voxel = place[axis] / spacing_um[axis];
      if (!(voxel > -1 && voxel < static_cast<double>(shape[axis])))
        throw Error::misuse(
            fmt::format("the place {:g} um (z, y, x) lies outside a volume of {} voxels of {:g} um",
                        fmt::join(place, ", "), fmt::join(shape, " x "), fmt::join(spacing_um, " x ")),
            "places are given in micrometres from the first voxel; are z, y and x in this order?");
    }
  }
  for (const Region& region : complete) {
    for (size_t axis = 0; axis < 3; ++axis) {
      if (region.begin[axis] < 0 || region.size[axis] < 1 ||
          region.size[axis] > shape[axis] - region.begin[axis])
        throw Error::misuse(
            fmt::format("the box {} + {} lies outside a volume of {} voxels", fmt::join(region.begin, ", "),
                        fmt::join(region.size, ", "), fmt::join(shape, " x ")),
            "boxes are given in voxels, their ends excluded");
    }
  }
}

}  // namespace

at::Tensor labels_of_points(const std::array<int64_t, 3>& shape, const std::array<double, 3>& spacing_um,
                            const std::vector<PointUm>& places, const std::vector<Region>& complete,
                            const Balls& balls) {
  check(shape, spacing_um, places, complete, balls);
  const float far = std::numeric_limits<float>::infinity();
  const at::Tensor nearest = at::full(shape, far), second = at::full(shape, far);
  // a step to a neighbour, a corner's at most, changes the difference of two distances by twice its length at
  // most
  const double seam = std::hypot(spacing_um[0], spacing_um[1], spacing_um[2]);
  const double reach = balls.radius_um + balls.shell_um,
               looked_at = balls.radius_um + std::max(balls.shell_um, seam);
  for (const PointUm& place : places) {
    const Region region = around(place, looked_at, shape, spacing_um);
    if (region.size[0] * region.size[1] * region.size[2] == 0) continue;
    const at::Tensor here = distances(place, region, spacing_um);
    at::Tensor first = part(nearest, region), next = part(second, region);
    next.copy_(at::minimum(next, at::maximum(first, here)));
    first.copy_(at::minimum(first, here));
  }
  at::Tensor labels = at::full(shape, kUnknown, at::kByte);
  for (const Region& region : complete) part(labels, region).masked_fill_(part(nearest, region) > reach, 0);
  labels.masked_fill_((nearest <= balls.radius_um).logical_and(second - nearest >= seam), 1);
  return labels;
}

at::Tensor labels_of_instances(const at::Tensor& ids) {
  if (ids.dim() != 3 || !at::isIntegralType(ids.scalar_type(), false))
    throw Error::misuse(
        fmt::format("ids of cells as {} [{}]", at::toString(ids.scalar_type()), fmt::join(ids.sizes(), ", ")),
        "they are integers [Z, Y, X]");
  const at::Tensor whole = ids.to(at::kLong);
  at::Tensor labels = (whole != 0).to(at::kByte);
  // of two voxels that touch, that of the larger id becomes the seam
  for (int64_t neighbour = 0; neighbour < 13; ++neighbour) {
    const std::array<int64_t, 3> step{neighbour / 9 - 1, neighbour / 3 % 3 - 1, neighbour % 3 - 1};
    // the part of a volume that has a neighbour there, or is one
    const auto facing = [&](at::Tensor volume, int64_t direction) {
      for (int64_t axis = 0; axis < 3; ++axis) {
        const int64_t by = direction * step[static_cast<size_t>(axis)],
                      size = volume.size(axis) - std::abs(by);
        volume = volume.narrow(axis, size > 0 && by < 0 ? 1 : 0, std::max<int64_t>(size, 0));
      }
      return volume;
    };
    const at::Tensor here = facing(whole, 1), there = facing(whole, -1),
                     apart = (here != 0).logical_and(there != 0).logical_and(here != there);
    facing(labels, 1).masked_fill_(apart.logical_and(here > there), kUnknown);
    facing(labels, -1).masked_fill_(apart.logical_and(there > here), kUnknown);
  }
  return labels;
}

std::vector<double> class_weights(const std::vector<at::Tensor>& labels, int64_t classes) {
  std::vector<double> counts(static_cast<size_t>(kUnknown) + 1, 0);
  for (const at::Tensor& volume : labels) {
    const at::Tensor of_volume = at::bincount(volume.flatten(), {}, kUnknown + 1);
    for (int64_t value = 0; value <= kUnknown; ++value)
      counts[static_cast<size_t>(value)] += static_cast<double>(of_volume[value].item<int64_t>());
  }
  double known = 0;
  for (int64_t value = 0; value < kUnknown; ++value) {
    const double count = counts[static_cast<size_t>(value)];
    known += count;
    if (value < classes && count == 0)
      throw Error(fmt::format("no voxel is marked as class {}", value),
                  value == 0 ? "say where all cells are marked, so that the rest is background (boxes)"
                             : "mark some, or give the network fewer classes");
    if (value >= classes && count > 0)
      throw Error(fmt::format("{:.0f} voxels are marked as class {}, the network has {} classes", count,
                              value, classes),
                  fmt::format("classes count from 0, the background; {} marks what is not known", kUnknown));
  }
  std::vector<double> weights;
  for (int64_t value = 0; value < classes; ++value)
    weights.push_back(known / (static_cast<double>(classes) * counts[static_cast<size_t>(value)]));
  return weights;
}

}  // namespace lucivox
