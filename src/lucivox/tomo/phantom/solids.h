#pragma once

#include <algorithm>
#include <cmath>

#include <lucivox/tomo/phantom/canvas.h>
#include <lucivox/tomo/phantom/shapes.h>

// Bodies in space, and their sections. Coordinates are mm, z along the axis of rotation. A body gives its
// signed distance, negative inside, how far it reaches from its centre and how thin it is.
namespace lucivox::phantom {

inline Point3 operator-(const Point3& a, const Point3& b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
inline double dot(const Point3& a, const Point3& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

struct Sphere {
  Point3 centre;
  double radius;

  double operator()(const Point3& p) const { return distance(p, centre) - radius; }
  double reach() const { return radius; }
  double thinnest() const { return radius; }
};

// An ellipsoid of revolution: a flat lens, or a long bubble.
struct Spheroid {
  Point3 centre, axis;   // axis: of length 1
  double along, across;  // half axes

  double operator()(const Point3& p) const {
    const Point3 d = p - centre;
    const double on_axis = dot(d, axis), off_axis = std::sqrt(std::max(dot(d, d) - on_axis * on_axis, 0.0));
    const double u = on_axis / along, v = off_axis / across;
    const double level = length(u, v), gradient = length(u / along, v / across);
    // right at the surface; deep inside a flat one it would be deeper than anything can be
    return gradient == 0 ? -thinnest() : std::max(level * (level - 1) / gradient, -thinnest());
  }
  double reach() const { return std::max(along, across); }
  double thinnest() const { return std::min(along, across); }
};

// How far above `from` a place at `to` lies in a sample that repeats after `period`, either way round.
inline double height_above(double from, double to, double period) {
  return std::remainder(to - from, period);
}

// Paints the section at height `z_mm` of a body in a sample that repeats after `period_mm`; `roughness(p)`
// moves its surface outwards.
template <typename Body, typename Roughness, typename Value>
void paint_section(Canvas& canvas, const Body& body, double z_mm, double period_mm,
                   const Roughness& roughness, const Value& value) {
  const double above = height_above(body.centre.z, z_mm, period_mm), reach = body.reach();
  if (std::abs(above) > reach + canvas.pixel_mm()) return;
  const auto distance = [&](Point p) {
    const Point3 place{p.x, p.y, body.centre.z + above};
    return body(place) - roughness(place);
  };
  const Box box = grown(around({body.centre.x, body.centre.y}, reach), canvas.pixel_mm());
  canvas.paint_tube(box, body.thinnest(), distance, value);
}
inline double smooth_surface(const Point3&) {
  return 0;
}

}  // namespace lucivox::phantom
