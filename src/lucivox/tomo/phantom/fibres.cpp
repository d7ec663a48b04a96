#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <lucivox/tomo/phantom/samples.h>
#include <lucivox/tomo/phantom/volume_noise.h>

namespace lucivox::phantom {
namespace {

using std::numbers::pi;

enum Part : uint64_t { Build, Plies, Bubbles, Texture };

constexpr double kThinnestMm = 0.012, kThickestMm = 0.018;  // radii of glass fibres
constexpr double kBrokenShare = 0.04;

// A fibre within its ply: `across` along the ply, `depth` through it.
struct Fibre {
  double across, depth, radius;
  double break_mm, gap_mm;  // along the fibre, again after each period; no gap: whole

  // How deep a place along the fibre lies in its gap.
  double in_gap(double along) const {
    return gap_mm > 0 ? gap_mm / 2 - std::abs(height_above(break_mm, along, kPeriodMm)) : -kPeriodMm;
  }
};

// Fibres by their places along the ply, which repeats after a period.
class Tow {
 public:
  // Whether a fibre has room among those that are there.
  bool has_room(const Fibre& fibre) const {
    constexpr double resin_mm = 0.001;
    const auto apart = [&](const Fibre& other) {
      return length(between(fibre.across, other.across), fibre.depth - other.depth) >
             fibre.radius + other.radius + resin_mm;
    };
    return all_near(fibre.across, apart);
  }
  void add(const Fibre& fibre) { bins_[bin(fibre.across)].push_back(fibre); }

  // Signed distance from the nearest fibre, within a bin's width.
  double distance(double along, double across, double depth) const {
    const double place = within_period(across);
    double nearest = kBinMm;
    all_near(place, [&](const Fibre& fibre) {
      const double x = between(place, fibre.across), y = depth - fibre.depth, reach = nearest + fibre.radius;
      if (x * x + y * y >= reach * reach) return true;
      const double whole = length(x, y) - fibre.radius;
      nearest = std::min(nearest, std::max(whole, fibre.in_gap(along)));
      return true;
    });
    return nearest;
  }

 private:
  static constexpr int kBins = 80;
  static constexpr double kBinMm = kPeriodMm / kBins;
  static_assert(kBinMm > 2 * kThickestMm);

  // Places along the ply within its period, and how far two of them are apart.
  static double within_period(double across) { return across - kPeriodMm * std::floor(across / kPeriodMm); }
  static double between(double a, double b) {
    const double apart = std::abs(a - b);
    return std::min(apart, kPeriodMm - apart);
  }
  static size_t bin(double across) {
    return static_cast<size_t>(std::min(static_cast<int>(across / kBinMm), kBins - 1));
  }
  template <typename Holds>
  bool all_near(double across, const Holds& holds) const {
    const size_t middle = bin(across);
    for (const size_t step : {kBins - 1, 0, 1}) {
      for (const Fibre& fibre : bins_[(middle + step) % kBins])
        if (!holds(fibre)) return false;
    }
    return true;
  }

  std::array<std::vector<Fibre>, kBins> bins_;
};

// A layer of parallel bundles.
struct Ply {
  double middle_mm, thickness_mm;  // through the laminate
  Point3 along, across;            // where its fibres run, and across them within the ply
  double wave_mm, wave_phase;      // fibres are never quite straight
  Tow fibres;
};

struct Laminate {
  Tube core;
  Point3 normal;           // through the plies, in the plane of the slices
  std::vector<Ply> plies;  // from below up, without gaps
  std::vector<Spheroid> voids;
  double glass_per_mm, resin_per_mm;
  VolumeNoise noise;
};

// Bundles lie side by side with resin between them; within them fibres are packed at random.
Tow random_tow(double thickness_mm, Random& random) {
  const int bundles = 3 + static_cast<int>(random.integer(4));
  const double width = kPeriodMm / bundles, half_width = width / 2 - random.uniform(0.01, 0.04),
               half_height = thickness_mm / 2 - kThickestMm;
  Tow tow;
  const double attempts = 20 * kPeriodMm * thickness_mm / (pi * kThinnestMm * kThinnestMm);
  for (auto i = static_cast<int64_t>(attempts); i > 0; --i) {
    Fibre fibre{random.uniform(0, kPeriodMm), random.uniform(-half_height, half_height),
                random.uniform(kThinnestMm, kThickestMm), 0, 0};
    const double u = std::remainder(fibre.across, width) / half_width, v = fibre.depth / half_height;
    if (u * u * u * u + v * v * v * v > 1 || !tow.has_room(fibre)) continue;
    if (random.uniform() < kBrokenShare) {
      fibre.break_mm = random.uniform(0, kPeriodMm);
      fibre.gap_mm = random.uniform(0.02, 0.1);
    }
    tow.add(fibre);
  }
  return tow;
}

std::vector<Ply> random_plies(double normal_angle, Random& random) {
  constexpr std::array turns{0.0, 90.0, 45.0, 0.0, -45.0, 90.0};  // a usual lay-up
  const auto first = static_cast<size_t>(random.integer(turns.size()));
  std::vector<Ply> plies;
  for (double bottom = -kSampleFieldMm / 2; bottom < kSampleFieldMm / 2;) {
    const double thickness = random.uniform(0.28, 0.5);
    // from the axis of rotation: 0 is seen across, 90 degrees along
    const double turn = radians(turns[(first + plies.size()) % turns.size()] + random.uniform(-6, 6));
    plies.push_back({bottom + thickness / 2, thickness, direction(normal_angle + pi / 2, pi / 2 - turn),
                     direction(normal_angle + pi / 2, -turn), random.uniform(0.004, 0.02),
                     random.uniform(0, 2 * pi), random_tow(thickness, random)});
    bottom += thickness;
  }
  return plies;
}

// Air that the resin did not drive out: long bubbles between fibres, and a few round ones.
std::vector<Spheroid> random_voids(const std::vector<Ply>& plies, Random& random) {
  std::vector<Spheroid> voids;
  for (int64_t i = 60 + random.integer(160); i > 0; --i) {
    const auto ply = static_cast<size_t>(random.integer(static_cast<int64_t>(plies.size())));
    const double radius = random.uniform(0.01, 0.045);
    voids.push_back(
        {random_place(around_core(0), random), plies[ply].along, radius * random.uniform(1, 6), radius});
  }
  return voids;
}

Laminate build(uint64_t seed) {
  Random random(seed, Build), plies(seed, Plies), bubbles(seed, Bubbles);
  const double normal_angle = random.uniform(0, 2 * pi);
  Laminate laminate{.core = random_core(random),
                    .normal = direction(normal_angle, 0),
                    .plies = random_plies(normal_angle, plies),
                    .voids = {},
                    .glass_per_mm = random.uniform(0.85, 1.05),  // E-glass, with its calcium
                    .resin_per_mm = random.uniform(0.06, 0.09),
                    .noise = VolumeNoise(derive_seed(seed, Texture))};
  laminate.voids = random_voids(laminate.plies, bubbles);
  return laminate;
}

double fibre_distance(const Laminate& laminate, const Point3& p) {
  const double height = dot(p, laminate.normal);
  const auto ply = std::find_if(laminate.plies.begin(), laminate.plies.end() - 1, [&](const Ply& candidate) {
    return height < candidate.middle_mm + candidate.thickness_mm / 2;
  });
  constexpr double wavelength_mm = 2.2;
  const double along = dot(p, ply->along);
  const double wave = ply->wave_mm * std::sin(2 * pi * along / wavelength_mm + ply->wave_phase);
  return ply->fibres.distance(along, dot(p, ply->across) + wave, height - ply->middle_mm);
}

}  // namespace

Sample random_fibres(uint64_t seed) {
  return [laminate = build(seed)](Canvas& canvas, double z_mm) {
    canvas.paint(laminate.core, Phase{&laminate.noise, z_mm, laminate.resin_per_mm, 0.03, 0.1});
    const auto fibre = [&](Point p) {
      return std::max(laminate.core(p), fibre_distance(laminate, {p.x, p.y, z_mm}));
    };
    canvas.paint(laminate.core.box(), fibre, plain(laminate.glass_per_mm));
    for (const Spheroid& hole : laminate.voids)
      paint_section(canvas, hole, z_mm, kPeriodMm, smooth_surface, plain(0));
  };
}

}  // namespace lucivox::phantom
