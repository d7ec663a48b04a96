#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <lucivox/tomo/phantom/samples.h>
#include <lucivox/tomo/phantom/volume_noise.h>

namespace lucivox::phantom {
namespace {

enum Part : uint64_t { Build, Bubbles, Texture };

constexpr SphereSizes kCells{.median_mm = 0.12, .sigma = 0.35, .smallest_mm = 0.05, .largest_mm = 0.3};
constexpr double kStrutMm = 0.05;  // walls are rounded where three of them meet within this

// A gas bubble that the foam set around.
struct Bubble {
  Sphere sphere;
  double openness;  // 0..1, decides together with a neighbour's whether the wall between them broke
};

struct Foam {
  Tube core;
  std::vector<Bubble> bubbles;
  double half_wall_mm;
  double open_share;  // of the walls that have a window
  double per_mm;
  VolumeNoise noise;
};

std::vector<Bubble> random_bubbles(Random& random) {
  const PackedCylinder cylinder = around_core(kCells.largest_mm);
  std::vector<Bubble> bubbles;
  for (const Sphere& sphere :
       pack_spheres(cylinder, random_radii(kCells, 0.7 * cylinder.volume_mm3(), random), 0, random))
    bubbles.push_back({sphere, random.uniform()});
  return bubbles;
}

Foam build(uint64_t seed) {
  Random random(seed, Build), bubbles(seed, Bubbles);
  return {random_core(random),
          random_bubbles(bubbles),
          random.uniform(0.008, 0.013),
          random.uniform(0.2, 0.6),
          random.uniform(1.8, 2.1),  // hydroxyapatite, dense or with pores that are not seen
          VolumeNoise(derive_seed(seed, Texture))};
}

// The bubbles that can matter at each place of one section, moved to the copy that is nearest to it.
class Neighbours {
 public:
  Neighbours(const Foam& foam, double z_mm) {
    std::vector<Bubble> all = foam.bubbles;
    for (Bubble& bubble : all)
      bubble.sphere.centre.z = z_mm - height_above(bubble.sphere.centre.z, z_mm, kPeriodMm);
    for (int64_t y = 0; y < kTiles; ++y) {
      for (int64_t x = 0; x < kTiles; ++x) tiles_.push_back(near(all, {middle(x), middle(y), z_mm}));
    }
  }
  const std::vector<Bubble>& at(Point p) const {
    return tiles_[static_cast<size_t>(tile(p.y) * kTiles + tile(p.x))];
  }

 private:
  static constexpr int64_t kTiles = 48;
  static constexpr double kTileMm = kSampleFieldMm / kTiles;

  static double middle(int64_t tile) {
    return (static_cast<double>(tile) + 0.5) * kTileMm - kSampleFieldMm / 2;
  }
  static int64_t tile(double mm) {
    return std::clamp(static_cast<int64_t>((mm + kSampleFieldMm / 2) / kTileMm), int64_t{0}, kTiles - 1);
  }
  // Within the tile distances change by half its diagonal; beyond two struts nothing touches a wall.
  static std::vector<Bubble> near(const std::vector<Bubble>& all, const Point3& p) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const Bubble& bubble : all) nearest = std::min(nearest, bubble.sphere(p));
    std::vector<Bubble> bubbles;
    for (const Bubble& bubble : all)
      if (bubble.sphere(p) < nearest + 1.5 * kTileMm + 4 * kStrutMm) bubbles.push_back(bubble);
    return bubbles;
  }

  std::vector<std::vector<Bubble>> tiles_;
};

double distance_to_line(const Point3& p, const Point3& from, const Point3& to) {
  const Point3 axis = to - from, d = p - from;
  const double along = dot(d, axis);
  return std::sqrt(std::max(dot(d, d) - along * along / dot(axis, axis), 0.0));
}

// The two bubbles whose surfaces are nearest to a place.
struct Nearest {
  const Bubble *own = nullptr, *next = nullptr;
  double own_mm = std::numeric_limits<double>::infinity(), next_mm = own_mm;
};

Nearest nearest_two(const std::vector<Bubble>& near, const Point3& p) {
  Nearest two;
  for (const Bubble& bubble : near) {
    const double d = bubble.sphere(p);
    if (d < two.own_mm) {
      two = {&bubble, two.own, d, two.own_mm};
    } else if (d < two.next_mm) {
      two.next = &bubble;
      two.next_mm = d;
    }
  }
  return two;
}

// How far a place lies within the window between two cells, negative outside or where there is none.
double in_window(const Foam& foam, const Bubble& a, const Bubble& b, const Point3& p) {
  const double together = a.openness + b.openness;
  if (together - std::floor(together) > foam.open_share) return -kStrutMm;
  return 0.5 * std::min(a.sphere.radius, b.sphere.radius) -
         distance_to_line(p, a.sphere.centre, b.sphere.centre);
}

// The wall between the two cells that are nearest to a place.
struct Wall {
  double middle_mm;  // to its middle; negative where it thickens to a strut
  double window_mm;  // how deep within a window, negative elsewhere
};

// Cells are what is nearer to the surface of one bubble than to any other's, so that walls bulge towards the
// larger one. Windows end where a third cell begins to be near.
Wall wall_at(const Foam& foam, const std::vector<Bubble>& near, const Point3& p) {
  const Nearest two = nearest_two(near, p);
  if (two.next == nullptr) return {kStrutMm, -kStrutMm};
  double middle = (two.next_mm - two.own_mm) / 2, third = std::numeric_limits<double>::infinity();
  for (const Bubble& bubble : near) {
    if (&bubble == two.own || &bubble == two.next) continue;
    const double other = (bubble.sphere(p) - two.own_mm) / 2;
    middle = smooth_min(middle, other, kStrutMm);
    third = std::min(third, other);
  }
  return {middle, std::min(in_window(foam, *two.own, *two.next, p), third - kStrutMm / 2)};
}

}  // namespace

Sample random_foam(uint64_t seed) {
  return [foam = build(seed)](Canvas& canvas, double z_mm) {
    const Neighbours neighbours(foam, z_mm);
    const auto wall = [&](Point p) { return wall_at(foam, neighbours.at(p), {p.x, p.y, z_mm}); };
    const auto half_thickness = [&](Point p) {
      return foam.half_wall_mm + std::max(-wall(p).middle_mm, 0.0);
    };
    const auto outside = [&](Point p) {
      const auto [middle, window] = wall(p);
      return std::max({middle - foam.half_wall_mm, window, foam.core(p)});
    };
    canvas.paint_sheet(foam.core.box(), half_thickness, outside,
                       Phase{&foam.noise, z_mm, foam.per_mm, 0.04, 0.03});
  };
}

}  // namespace lucivox::phantom
