#include <cmath>

#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom/volume_noise.h>

namespace lucivox::phantom {

VolumeNoise::VolumeNoise(uint64_t seed) {
  Random random(seed);
  lattice_.resize(kSide * kSide * kSide);
  for (float& value : lattice_) value = static_cast<float>(random.normal());
}

float VolumeNoise::lattice(int x, int y, int z) const {
  constexpr int mask = kSide - 1;
  const int place = ((z & mask) * kSide + (y & mask)) * kSide + (x & mask);
  return lattice_[static_cast<size_t>(place)];
}

double VolumeNoise::operator()(const Point3& p, double cell_mm) const {
  // turned, so that the lattice does not show along rows, columns and slices
  const double scale = 1 / (3 * cell_mm);
  const double u = (2 * p.x + p.y + 2 * p.z) * scale, v = (2 * p.y - 2 * p.x + p.z) * scale,
               w = (p.x + 2 * p.y - 2 * p.z) * scale;
  const double column = std::floor(u), row = std::floor(v), level = std::floor(w);
  const auto x = static_cast<int>(column), y = static_cast<int>(row), z = static_cast<int>(level);
  const double r = smooth_step(0, 1, u - column), s = smooth_step(0, 1, v - row),
               t = smooth_step(0, 1, w - level);
  const auto between = [](double a, double b, double part) { return a + part * (b - a); };
  const auto along_row = [&](int j, int k) {
    return between(static_cast<double>(lattice(x, j, k)), static_cast<double>(lattice(x + 1, j, k)), r);
  };
  const auto in_plane = [&](int k) { return between(along_row(y, k), along_row(y + 1, k), s); };
  return 1.56 * between(in_plane(z), in_plane(z + 1), t);  // interpolation left 0.41 of the variance
}

}  // namespace lucivox::phantom
