#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom/canvas.h>

namespace lucivox::phantom {

Noise::Noise(uint64_t seed) {
  Random random(seed);
  lattice_.resize(kSide * kSide);
  for (float& value : lattice_) value = static_cast<float>(random.normal());
}

double Noise::operator()(Point p, double cell_mm) const {
  // turned, so that the lattice does not show along rows and columns
  const double u = (0.8 * p.x + 0.6 * p.y) / cell_mm + 1e3, v = (0.8 * p.y - 0.6 * p.x) / cell_mm + 1e3;
  const auto column = static_cast<int>(u), row = static_cast<int>(v);
  const auto at = [&](int r, int c) {
    const int place = (r & (kSide - 1)) * kSide + (c & (kSide - 1));
    return static_cast<double>(lattice_[static_cast<size_t>(place)]);
  };
  const double s = smooth_step(0, 1, u - column), t = smooth_step(0, 1, v - row);
  const double above = at(row, column) + s * (at(row, column + 1) - at(row, column));
  const double below = at(row + 1, column) + s * (at(row + 1, column + 1) - at(row + 1, column));
  return 1.35 * (above + t * (below - above));  // interpolation took about half of the variance
}

Canvas::Canvas(float* values, int64_t size, double field_mm)
    : values_(values),
      size_(size),
      pixel_mm_(field_mm / static_cast<double>(size)),
      middle_(static_cast<double>(size - 1) / 2) {}

Canvas::Pixels Canvas::pixels_of(const Box& box) const {
  const auto first = [&](double mm) {
    return static_cast<int64_t>(
        std::clamp(std::floor(mm / pixel_mm_ + middle_), 0.0, static_cast<double>(size_)));
  };
  const auto end = [&](double mm) {
    return static_cast<int64_t>(
        std::clamp(std::ceil(mm / pixel_mm_ + middle_) + 1, 0.0, static_cast<double>(size_)));
  };
  return {first(box.left), first(box.top), end(box.right), end(box.bottom)};
}

}  // namespace lucivox::phantom
