#include <lucivox/tomo/phantom/samples.h>
#include <lucivox/tomo/phantom/volume_noise.h>

namespace lucivox::phantom {
namespace {

enum Part : uint64_t { Build, Pores, Texture };

// Sintered glass has pores from a hundredth to a tenth of a millimetre, a few of them larger.
constexpr SphereSizes kPores{.median_mm = 0.03, .sigma = 0.65, .smallest_mm = 0.012, .largest_mm = 0.19};
// Neighbours that grew together have a neck as wide as two thirds of the smaller one.
constexpr double kOverlap = 0.12;

struct Glass {
  Tube core;
  std::vector<Sphere> pores;
  double per_mm;
  VolumeNoise noise;
};

Glass build(uint64_t seed) {
  Random random(seed, Build), pores(seed, Pores);
  const PackedCylinder cylinder = around_core(0);
  const double porosity = random.uniform(0.22, 0.42);  // what finds no place is left out
  return {
      random_core(random),
      pack_spheres(cylinder, random_radii(kPores, porosity * cylinder.volume_mm3(), pores), kOverlap, pores),
      random.uniform(0.6, 0.75),  // borosilicate to soda lime
      VolumeNoise(derive_seed(seed, Texture))};
}

}  // namespace

Sample random_glass(uint64_t seed) {
  return [glass = build(seed)](Canvas& canvas, double z_mm) {
    canvas.paint(glass.core, Phase{&glass.noise, z_mm, glass.per_mm, 0.01, 0.2});
    for (const Sphere& pore : glass.pores)
      paint_section(canvas, pore, z_mm, kPeriodMm, smooth_surface, plain(0));
  };
}

}  // namespace lucivox::phantom
