#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include <lucivox/tomo/phantom/packing.h>

namespace lucivox::phantom {
namespace {

// A dense packing has few places left: more attempts find hardly more of them.
constexpr int kAttempts = 60;

// Spheres by where they are. A cell is as wide as the largest sphere, so that whatever touches a sphere lies
// in the cells around its own.
class Cells {
 public:
  Cells(const PackedCylinder& cylinder, double largest_radius_mm)
      : half_(cylinder.radius_mm), period_(cylinder.period_mm) {
    across_ = std::max(1, static_cast<int>(half_ / largest_radius_mm));
    levels_ = std::max(1, static_cast<int>(period_ / (2 * largest_radius_mm)));
    const int cells = across_ * across_ * levels_;
    cells_.resize(static_cast<size_t>(cells));
  }

  void add(const Sphere& sphere) {
    const auto [x, y, z] = place(sphere.centre);
    cells_[index(x, y, z)].push_back(sphere);
  }

  bool has_room(const Sphere& sphere, double overlap) const {
    const auto [x, y, z] = place(sphere.centre);
    for (int k = z - 1; k <= z + 1; ++k) {
      for (int j = std::max(y - 1, 0); j <= std::min(y + 1, across_ - 1); ++j) {
        for (int i = std::max(x - 1, 0); i <= std::min(x + 1, across_ - 1); ++i) {
          for (const Sphere& other : cells_[index(i, j, (k + levels_) % levels_)])
            if (meet(sphere, other, overlap)) return false;
        }
      }
    }
    return true;
  }

 private:
  struct Cell {
    int x, y, z;
  };
  Cell place(const Point3& p) const {
    const auto at = [](double part, int count) {
      return std::clamp(static_cast<int>(part * count), 0, count - 1);
    };
    return {at((p.x / half_ + 1) / 2, across_), at((p.y / half_ + 1) / 2, across_),
            at(p.z / period_, levels_)};
  }
  size_t index(int x, int y, int z) const {
    const int place = (z * across_ + y) * across_ + x;
    return static_cast<size_t>(place);
  }

  bool meet(const Sphere& a, const Sphere& b, double overlap) const {
    const double apart = a.radius + b.radius - overlap * std::min(a.radius, b.radius);
    const double x = a.centre.x - b.centre.x, y = a.centre.y - b.centre.y,
                 up = std::abs(a.centre.z - b.centre.z), z = std::min(up, period_ - up);
    return x * x + y * y + z * z < apart * apart;
  }

  double half_, period_;
  int across_, levels_;
  std::vector<std::vector<Sphere>> cells_;
};

}  // namespace

Point3 random_place(const PackedCylinder& cylinder, Random& random) {
  const double angle = random.uniform(0, 2 * std::numbers::pi);
  const double off_axis = cylinder.radius_mm * std::sqrt(random.uniform());
  return {off_axis * std::cos(angle), off_axis * std::sin(angle), random.uniform(0, cylinder.period_mm)};
}

std::vector<double> random_radii(const SphereSizes& sizes, double volume_mm3, Random& random) {
  std::vector<double> radii;
  for (double volume = 0; volume < volume_mm3;) {
    const double radius = std::clamp(sizes.median_mm * std::exp(random.normal(0, sizes.sigma)),
                                     sizes.smallest_mm, sizes.largest_mm);
    radii.push_back(radius);
    volume += 4 * std::numbers::pi / 3 * radius * radius * radius;
  }
  return radii;
}

std::vector<Sphere> pack_spheres(const PackedCylinder& cylinder, std::vector<double> radii_mm, double overlap,
                                 Random& random) {
  if (radii_mm.empty()) return {};
  std::sort(radii_mm.begin(), radii_mm.end(), std::greater());
  Cells cells(cylinder, radii_mm.front());
  std::vector<Sphere> packed;
  for (const double radius : radii_mm) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const Sphere sphere{random_place(cylinder, random), radius};
      if (!cells.has_room(sphere, overlap)) continue;
      cells.add(sphere);
      packed.push_back(sphere);
      break;
    }
  }
  return packed;
}

}  // namespace lucivox::phantom
