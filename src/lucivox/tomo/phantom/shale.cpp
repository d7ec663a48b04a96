#include <cmath>
#include <numbers>

#include <lucivox/tomo/phantom/samples.h>
#include <lucivox/tomo/phantom/volume_noise.h>

namespace lucivox::phantom {
namespace {

using std::numbers::pi;

enum Part : uint64_t { Build, Silt, Carbon, Sulphide, Fractures, Texture };

// 1/mm; clay differs most, by its water, potassium and iron.
constexpr double kQuartz = 0.68, kCalcite = 1.5, kOrganic = 0.1;

// Directions along and across the layers that the mud settled in.
struct Bedding {
  Point3 along, dip, normal;

  Point3 operator()(const Point3& p) const { return {dot(p, along), dot(p, dip), dot(p, normal)}; }
};

Bedding bedding(double angle, double tilt) {
  return {direction(angle + pi / 2, 0), direction(angle + pi, pi / 2 - tilt), direction(angle, tilt)};
}

struct Grain {
  Spheroid shape;
  double per_mm;
};

// A curved sheet of air along one direction, open in patches.
struct Crack {
  Bedding sides;
  double offset_mm, half_thickness_mm, bend_mm;
  double openness;   // which part of the sheet is open grows with it
  double own_noise;  // a height in the noise that no other crack uses
};

struct Shale {
  Tube core;
  Bedding beds;
  double clay_per_mm, lamination;
  std::vector<Grain> silt, organic, pyrite;  // painted in this order
  std::vector<Crack> cracks;
  VolumeNoise noise;
};

// Log-normal, within a factor of 4.
double around_size(double median_mm, Random& random) {
  return median_mm * std::exp(std::clamp(random.normal(0, 0.5), -1.4, 1.4));
}

// Quartz, and now and then calcite: grains that are hardly flat, more of them in some layers than in others.
std::vector<Grain> random_silt(const Shale& shale, Random& random) {
  const PackedCylinder cylinder = around_core(0);
  const double calcite = random.uniform(0.05, 0.3);
  std::vector<Grain> grains;
  for (int64_t i = 12000 + random.integer(12000); i > 0; --i) {
    const Point3 place = random_place(cylinder, random), in_beds = shale.beds(place);
    const bool sandy = shale.noise({in_beds.x / 8, in_beds.y / 8, in_beds.z}, 0.25) > random.normal(-0.3, 1);
    const double across = around_size(0.02, random), along = across * random.uniform(0.5, 1);
    if (sandy)
      grains.push_back(
          {{place, shale.beds.normal, along, across}, random.uniform() < calcite ? kCalcite : kQuartz});
  }
  return grains;
}

// Lenses of kerogen that were pressed flat.
std::vector<Grain> random_organic(const Shale& shale, Random& random) {
  std::vector<Grain> grains;
  for (int64_t i = 1500 + random.integer(2500); i > 0; --i) {
    const double across = around_size(0.045, random);
    grains.push_back({{random_place(around_core(0), random), shale.beds.normal,
                       across * random.uniform(0.08, 0.2), across},
                      kOrganic});
  }
  return grains;
}

// Framboids: balls of tiny crystals, in clouds that follow the beds.
std::vector<Grain> random_pyrite(const Shale& shale, Random& random) {
  std::vector<Grain> grains;
  for (int64_t cloud = 60 + random.integer(120); cloud > 0; --cloud) {
    const Point3 middle = random_place(around_core(0), random);
    const double spread = random.uniform(0.02, 0.12);
    for (int64_t i = 1 + random.integer(24); i > 0; --i) {
      const double x = random.normal(0, spread), y = random.normal(0, spread),
                   z = random.normal(0, spread / 4);
      const Bedding& b = shale.beds;
      const Point3 place{middle.x + x * b.along.x + y * b.dip.x + z * b.normal.x,
                         middle.y + x * b.along.y + y * b.dip.y + z * b.normal.y,
                         middle.z + x * b.along.z + y * b.dip.z + z * b.normal.z};
      const double radius = around_size(0.009, random);
      grains.push_back({{place, b.normal, radius, radius}, random.uniform(3.5, 6)});  // solid pyrite has 7.8
    }
  }
  return grains;
}

// Most follow the beds, as shale splits when it dries; one or two join them across.
std::vector<Crack> random_cracks(double bed_angle, double tilt, Random& random) {
  std::vector<Crack> cracks;
  const auto add = [&](double angle, double openness) {
    const double reach = 0.4 * kSampleFieldMm;
    cracks.push_back({bedding(angle, tilt + random.uniform(-0.05, 0.05)), random.uniform(-reach, reach),
                      random.uniform(0.004, 0.013), random.uniform(0.03, 0.09), openness,
                      10.0 * static_cast<double>(cracks.size() + 1)});
  };
  for (int64_t i = 3 + random.integer(5); i > 0; --i)
    add(bed_angle + random.uniform(-0.1, 0.1), random.uniform(-0.4, 0.8));
  for (int64_t i = random.integer(3); i > 0; --i)
    add(bed_angle + random.uniform(0.9, 2.2), random.uniform(-0.7, 0.2));
  return cracks;
}

Shale build(uint64_t seed) {
  Random random(seed, Build), silt(seed, Silt), carbon(seed, Carbon), sulphide(seed, Sulphide),
      fractures(seed, Fractures);
  const double angle = random.uniform(0, 2 * pi), tilt = random.uniform(-0.4, 0.4);
  Shale shale{.core = random_core(random),
              .beds = bedding(angle, tilt),
              .clay_per_mm = random.uniform(0.4, 0.52),
              .lamination = random.uniform(0.03, 0.1),
              .silt = {},
              .organic = {},
              .pyrite = {},
              .cracks = random_cracks(angle, tilt, fractures),
              .noise = VolumeNoise(derive_seed(seed, Texture))};
  shale.silt = random_silt(shale, silt);
  shale.organic = random_organic(shale, carbon);
  shale.pyrite = random_pyrite(shale, sulphide);
  return shale;
}

// Clay in layers, fine and finer, with aggregates of the size of a pixel or less.
struct Clay {
  const Shale* shale;
  double z_mm;

  double operator()(Point p, double) const {
    const Point3 place{p.x, p.y, z_mm}, in_beds = shale->beds(place);
    const auto layers = [&](double thickness_mm, double length) {
      return shale->noise({in_beds.x / length, in_beds.y / length, in_beds.z}, thickness_mm);
    };
    const double uneven =
        shale->lamination * (layers(0.15, 15) + 0.7 * layers(0.03, 6)) + 0.06 * shale->noise(place, 0.012);
    return shale->clay_per_mm * std::max(1 + uneven, 0.2);
  }
};

void paint_grains(Canvas& canvas, const Shale& shale, const std::vector<Grain>& grains, double z_mm) {
  for (const Grain& grain : grains) {
    const double height = 0.25 * grain.shape.thinnest(), width = 0.6 * grain.shape.reach();
    const auto rough = [&](const Point3& p) { return height * (shale.noise(p, width) - 1); };
    paint_section(canvas, grain.shape, z_mm, kPeriodMm, rough, plain(grain.per_mm));
  }
}

void paint_crack(Canvas& canvas, const Shale& shale, const Crack& crack, double z_mm) {
  constexpr double roughness_mm = 0.006, steepest = 7;  // noise is never larger
  const double reach = steepest * (crack.bend_mm + roughness_mm) + 2 * crack.half_thickness_mm;
  const auto in_crack = [&](Point p) { return crack.sides({p.x, p.y, z_mm}); };
  const auto half = [&](Point p) {
    const Point3 q = in_crack(p);
    const double open = shale.noise({q.x, q.y, crack.own_noise}, 0.9) + crack.openness;
    return crack.half_thickness_mm * std::clamp(open, 0.0, 1.5);
  };
  const auto outside = [&](Point p) {
    const Point3 q = in_crack(p);
    if (std::abs(q.z - crack.offset_mm) > reach) return reach;
    const double waves = crack.bend_mm * shale.noise({q.x, q.y, crack.own_noise + 3}, 0.7) +
                         roughness_mm * shale.noise({q.x, q.y, crack.own_noise + 6}, 0.06);
    return std::abs(q.z - crack.offset_mm - waves) - half(p);
  };
  canvas.paint_sheet(shale.core.box(), half, outside, plain(0));
}

}  // namespace

Sample random_shale(uint64_t seed) {
  return [shale = build(seed)](Canvas& canvas, double z_mm) {
    // a brittle rock chips where it was cut
    const auto core = [&](Point p) {
      return shale.core(p) + 0.04 * std::max(shale.noise({p.x, p.y, z_mm}, 0.25) - 0.5, 0.0);
    };
    canvas.paint(shale.core.box(), core, Clay{&shale, z_mm});
    for (const auto* grains : {&shale.silt, &shale.organic, &shale.pyrite})
      paint_grains(canvas, shale, *grains, z_mm);
    for (const Crack& crack : shale.cracks) paint_crack(canvas, shale, crack, z_mm);
    canvas.paint(
        grown(shale.core.box(), 0.3), [&](Point p) { return -core(p); }, plain(0));
  };
}

}  // namespace lucivox::phantom
