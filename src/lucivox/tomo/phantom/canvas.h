#pragma once

#include <cstdint>
#include <vector>

#include <lucivox/base/parallel.h>
#include <lucivox/tomo/phantom/shapes.h>

namespace lucivox::phantom {

// Smooth random texture of about unit variance that repeats only after 256 cells ("value noise": random
// numbers on a lattice, interpolated). The same seed gives the same texture at any pixel size.
class Noise {
 public:
  explicit Noise(uint64_t seed);
  // Texture whose grains are about `cell_mm` wide.
  double operator()(Point p, double cell_mm) const;

 private:
  static constexpr int kSide = 256;
  std::vector<float> lattice_;
};

// A picture onto which shapes are painted one over another: organs in HU from the skin inwards, the phases of
// a material in 1/mm.
class Canvas {
 public:
  // `values`: size * size of them in rows, which the caller owns.
  Canvas(float* values, int64_t size, double field_mm);

  double pixel_mm() const { return pixel_mm_; }

  // Paints value(p, depth) onto the pixels inside `shape`, depth mm below its edge; pixels on the edge get
  // their share. `shape` gives a signed distance and a box.
  template <typename Shape, typename Value>
  void paint(const Shape& shape, const Value& value) {
    paint(shape.box(), shape, value);
  }
  template <typename Distance, typename Value>
  void paint(const Box& box, const Distance& distance, const Value& value) {
    cover(box, value, distance, [](double coverage, double, Point) { return coverage; });
  }
  // The same for a tube of round section, which covers only a part of a pixel that is wider than itself.
  template <typename Distance, typename Value>
  void paint_tube(const Box& box, double radius, const Distance& distance, const Value& value) {
    paint_sheet(
        box, [radius](Point) { return radius; }, distance, value);
  }
  // And for a sheet whose half thickness(p) changes along it.
  template <typename HalfThickness, typename Distance, typename Value>
  void paint_sheet(const Box& box, const HalfThickness& half, const Distance& distance, const Value& value) {
    cover(box, value, distance, [this, &half](double coverage, double d, Point p) {
      return coverage - std::clamp(0.5 - (d + 2 * half(p)) / pixel_mm_, 0.0, 1.0);
    });
  }

 private:
  struct Pixels {
    int64_t left, top, right, bottom;  // the last two are one beyond the end
  };
  Pixels pixels_of(const Box& box) const;

  template <typename Distance, typename Value, typename Coverage>
  void cover(const Box& box, const Value& value, const Distance& distance, const Coverage& coverage) {
    const Pixels area = pixels_of(box);
    const auto row = [&](int64_t y) {
      for (int64_t x = area.left; x < area.right; ++x) {
        const Point p{(static_cast<double>(x) - middle_) * pixel_mm_,
                      (static_cast<double>(y) - middle_) * pixel_mm_};
        const double d = distance(p), inside = std::clamp(0.5 - d / pixel_mm_, 0.0, 1.0);
        if (inside <= 0) continue;
        float& pixel = values_[y * size_ + x];
        const double painted = value(p, std::max(-d, 0.0));
        pixel += static_cast<float>(coverage(inside, d, p) * (painted - static_cast<double>(pixel)));
      }
    };
    if (area.right - area.left < kShared) {
      for (int64_t y = area.top; y < area.bottom; ++y) row(y);
    } else {
      parallel_for(area.top, area.bottom, row);
    }
  }

  static constexpr int64_t kShared = 128;  // narrower areas cost less than waking the other threads

  float* values_;
  int64_t size_;
  double pixel_mm_, middle_;
};

// Values to paint with.
inline auto plain(double value) {
  return [value](Point, double) { return value; };
}

// Soft tissue: its HU with a texture of `sigma` HU.
struct Tissue {
  const Noise* noise;
  double hu, sigma = 5, cell_mm = 5;

  double operator()(Point p, double) const { return hu + sigma * (*noise)(p, cell_mm); }
};

// Bone: a dense shell around spongy marrow.
struct Bone {
  const Noise* noise;
  double cortex_hu, marrow_hu, cortex_mm;

  double operator()(Point p, double depth_mm) const {
    const double marrow = marrow_hu + 60 * (*noise)(p, 1.6);
    return cortex_hu + (marrow - cortex_hu) * smooth_step(cortex_mm - 0.3, cortex_mm + 0.6, depth_mm);
  }
};

}  // namespace lucivox::phantom
