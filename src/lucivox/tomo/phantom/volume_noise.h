#pragma once

#include <cstdint>
#include <vector>

#include <lucivox/tomo/phantom/shapes.h>

namespace lucivox::phantom {

// Noise (canvas.h) through space: smooth random texture of about unit variance that repeats only after 64
// cells. The same seed gives the same texture at any pixel size.
class VolumeNoise {
 public:
  explicit VolumeNoise(uint64_t seed);
  // Texture whose grains are about `cell_mm` wide.
  double operator()(const Point3& p, double cell_mm) const;

 private:
  static constexpr int kSide = 64;
  float lattice(int x, int y, int z) const;

  std::vector<float> lattice_;
};

// A phase of a material at one height: its attenuation in 1/mm, uneven by the share `contrast`.
struct Phase {
  const VolumeNoise* noise;
  double z_mm, per_mm, contrast, cell_mm;

  double operator()(Point p, double) const {
    return per_mm * (1 + contrast * (*noise)({p.x, p.y, z_mm}, cell_mm));
  }
};

}  // namespace lucivox::phantom
