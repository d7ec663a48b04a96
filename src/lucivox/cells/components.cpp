#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/cells/components.h>

namespace lucivox {
namespace {

using Offset = std::array<int64_t, 3>;

bool connects(const Offset& offset, Connectivity connectivity) {
  const int64_t steps = std::abs(offset[0]) + std::abs(offset[1]) + std::abs(offset[2]);
  const int64_t most = connectivity == Connectivity::Faces ? 1 : connectivity == Connectivity::Edges ? 2 : 3;
  return steps >= 1 && steps <= most;
}

// The neighbours that come before a voxel in the order Z, Y, X.
std::vector<Offset> earlier_neighbours(Connectivity connectivity) {
  std::vector<Offset> offsets;
  for (int64_t z = -1; z <= 0; ++z) {
    for (int64_t y = -1; y <= 1; ++y) {
      for (int64_t x = -1; x <= 1; ++x) {
        const bool earlier = z < 0 || y < 0 || (y == 0 && x < 0);
        if (earlier && connects({z, y, x}, connectivity)) offsets.push_back({z, y, x});
      }
    }
  }
  return offsets;
}

// Sets of ids, each known by its smallest.
int64_t root_of(std::vector<int64_t>& parents, int64_t id) {
  while (parents[static_cast<size_t>(id)] != id) {
    int64_t& parent = parents[static_cast<size_t>(id)];
    parent = parents[static_cast<size_t>(parent)];
    id = parent;
  }
  return id;
}
void unite(std::vector<int64_t>& parents, int64_t a, int64_t b) {
  a = root_of(parents, a);
  b = root_of(parents, b);
  parents[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
}

void take_in(Component& into, const Component& other) {
  into.first = std::min(into.first, other.first);
  into.voxels += other.voxels;
  for (size_t axis = 0; axis < 3; ++axis) {
    into.sum[axis] += other.sum[axis];
    into.begin[axis] = std::min(into.begin[axis], other.begin[axis]);
    into.end[axis] = std::max(into.end[axis], other.end[axis]);
  }
}

Component component_of(const Offset& voxel, int64_t of_class, const std::array<int64_t, 3>& shape) {
  const auto [z, y, x] = voxel;
  return {(z * shape[1] + y) * shape[2] + x, 1, of_class, voxel, voxel, {z + 1, y + 1, x + 1}};
}

// The smallest id of a set is its first voxel's: ids are given out in the order of voxels.
class Labeller {
 public:
  Labeller(const at::Tensor& classes, Connectivity connectivity)
      : classes_(classes.accessor<int64_t, 3>()), neighbours_(earlier_neighbours(connectivity)) {}

  Components label(const Region& region, const std::array<int64_t, 3>& shape) {
    Components all{at::zeros({classes_.size(0), classes_.size(1), classes_.size(2)}, at::kLong), {}};
    auto labels = all.labels.accessor<int64_t, 3>();
    each_voxel([&](const Offset& voxel) {
      const auto [z, y, x] = voxel;
      labels[z][y][x] = id_for(voxel, labels);
    });
    std::vector<int64_t> number_of(parents_.size(), 0);
    each_voxel([&](const Offset& voxel) {
      const auto [z, y, x] = voxel;
      int64_t& label = number_of[static_cast<size_t>(root_of(parents_, labels[z][y][x]))];
      const Component here = component_of({region.begin[0] + z, region.begin[1] + y, region.begin[2] + x},
                                          classes_[z][y][x], shape);
      if (label == 0) {
        all.found.push_back(here);
        label = std::ssize(all.found);
      } else {
        take_in(all.found[static_cast<size_t>(label - 1)], here);
      }
      labels[z][y][x] = label;
    });
    return all;
  }

 private:
  template <typename Body>
  void each_voxel(const Body& body) const {
    for (int64_t z = 0; z < classes_.size(0); ++z) {
      for (int64_t y = 0; y < classes_.size(1); ++y) {
        for (int64_t x = 0; x < classes_.size(2); ++x) {
          if (classes_[z][y][x] != 0) body({z, y, x});
        }
      }
    }
  }

  // That of its neighbours before it, which it joins, or a new one.
  int64_t id_for(const Offset& voxel, const at::TensorAccessor<int64_t, 3>& labels) {
    const auto [z, y, x] = voxel;
    int64_t id = 0;
    for (const auto& [dz, dy, dx] : neighbours_) {
      const int64_t nz = z + dz, ny = y + dy, nx = x + dx;
      if (nz < 0 || ny < 0 || nx < 0 || ny >= classes_.size(1) || nx >= classes_.size(2)) continue;
      if (classes_[nz][ny][nx] != classes_[z][y][x]) continue;
      const int64_t neighbour = labels[nz][ny][nx];
      if (id == 0) {
        id = neighbour;
      } else if (id != neighbour) {
        unite(parents_, id, neighbour);
      }
    }
    if (id != 0) return id;
    parents_.push_back(std::ssize(parents_));
    return parents_.back();
  }

  const at::TensorAccessor<int64_t, 3> classes_;
  const std::vector<Offset> neighbours_;
  std::vector<int64_t> parents_{0};  // of each id
};

}  // namespace

Connectivity connectivity_of(int64_t neighbours) {
  for (const Connectivity one : {Connectivity::Faces, Connectivity::Edges, Connectivity::Corners}) {
    if (neighbours == static_cast<int64_t>(one)) return one;
  }
  throw Error::misuse(fmt::format("a connectivity of {}", neighbours),
                      "give 6 (faces), 18 (edges too) or 26 (corners too)");
}

std::array<double, 3> Component::centroid() const {
  const auto count = static_cast<double>(voxels);
  return {static_cast<double>(sum[0]) / count, static_cast<double>(sum[1]) / count,
          static_cast<double>(sum[2]) / count};
}

Components connected_components(const at::Tensor& classes, Connectivity connectivity, const Region& region,
                                const std::array<int64_t, 3>& shape) {
  if (classes.dim() != 3 || classes.sizes() != at::IntArrayRef(region.size) ||
      !at::isIntegralType(classes.scalar_type(), true)) {
    throw Error::misuse(
        fmt::format("components of {} [{}] in a region of [{}]", at::toString(classes.scalar_type()),
                    fmt::join(classes.sizes(), ", "), fmt::join(region.size, ", ")),
        "classes are integers [Z, Y, X]");
  }
  return Labeller(classes.to(at::kCPU, at::kLong).contiguous(), connectivity).label(region, shape);
}

Components connected_components(const at::Tensor& classes, Connectivity connectivity) {
  std::array<int64_t, 3> shape{0, 0, 0};
  if (classes.dim() == 3) shape = {classes.size(0), classes.size(1), classes.size(2)};
  return connected_components(classes, connectivity, {{0, 0, 0}, shape}, shape);
}

int64_t ComponentUnion::add(const std::vector<Component>& of_tile) {
  const auto before = std::ssize(added_);
  added_.insert(added_.end(), of_tile.begin(), of_tile.end());
  for (int64_t id = before + 1; id <= std::ssize(added_); ++id) parents_.push_back(id);
  return before;
}

void ComponentUnion::join(const at::Tensor& below, const at::Tensor& above, Connectivity connectivity) {
  if (below.dim() != 2 || below.sizes() != above.sizes())
    throw Error::misuse(fmt::format("planes of [{}] and [{}] on one cut", fmt::join(below.sizes(), ", "),
                                    fmt::join(above.sizes(), ", ")),
                        "both are whole planes of the volume");
  const auto a = below.accessor<int64_t, 2>(), b = above.accessor<int64_t, 2>();
  for (int64_t row = 0; row < a.size(0); ++row) {
    for (int64_t column = 0; column < a.size(1); ++column) {
      if (a[row][column] == 0) continue;
      for (int64_t r = std::max(row - 1, int64_t{0}); r <= std::min(row + 1, a.size(0) - 1); ++r) {
        for (int64_t c = std::max(column - 1, int64_t{0}); c <= std::min(column + 1, a.size(1) - 1); ++c) {
          if (b[r][c] == 0 || !connects({1, r - row, c - column}, connectivity)) continue;
          if (added_[static_cast<size_t>(a[row][column] - 1)].of_class ==
              added_[static_cast<size_t>(b[r][c] - 1)].of_class)
            unite(parents_, a[row][column], b[r][c]);
        }
      }
    }
  }
}

ComponentUnion::Result ComponentUnion::result() const {
  std::vector<int64_t> parents = parents_;
  std::vector<Component> whole = added_;
  std::vector<int64_t> roots;
  for (int64_t id = 1; id <= std::ssize(added_); ++id) {
    const int64_t root = root_of(parents, id);
    if (root == id) {
      roots.push_back(id);
    } else {
      take_in(whole[static_cast<size_t>(root - 1)], added_[static_cast<size_t>(id - 1)]);
    }
  }
  std::sort(roots.begin(), roots.end(), [&](int64_t a, int64_t b) {
    return whole[static_cast<size_t>(a - 1)].first < whole[static_cast<size_t>(b - 1)].first;
  });
  Result result{{}, std::vector<int64_t>(parents.size(), 0)};
  for (const int64_t root : roots) {
    result.found.push_back(whole[static_cast<size_t>(root - 1)]);
    result.label_of[static_cast<size_t>(root)] = std::ssize(result.found);
  }
  for (int64_t id = 1; id < std::ssize(parents); ++id)
    result.label_of[static_cast<size_t>(id)] = result.label_of[static_cast<size_t>(root_of(parents, id))];
  return result;
}

}  // namespace lucivox
