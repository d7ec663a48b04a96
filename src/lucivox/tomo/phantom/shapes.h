#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

// Outlines of organs in one axial slice. Coordinates are mm from the middle of the picture: x to the
// patient's left (the picture's right), y to the back (the picture's bottom); angles run from +x to +y, so
// that the back is at +90 degrees and the front at -90. A shape gives its signed distance in mm, negative
// inside, exact or nearly so close to its edge, and a box that holds it.
namespace lucivox::phantom {

struct Point {
  double x, y;
};
inline Point operator+(Point a, Point b) {
  return {a.x + b.x, a.y + b.y};
}
inline Point operator-(Point a, Point b) {
  return {a.x - b.x, a.y - b.y};
}
inline Point operator*(Point a, double factor) {
  return {a.x * factor, a.y * factor};
}

struct Box {
  double left, top, right, bottom;
};
inline Box around(Point centre, double reach) {
  return {centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach};
}
inline Box hull(const Box& a, const Box& b) {
  return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
          std::max(a.bottom, b.bottom)};
}
inline Box grown(const Box& box, double by) {
  return {box.left - by, box.top - by, box.right + by, box.bottom + by};
}

inline double length(double x, double y) {
  return std::sqrt(x * x + y * y);
}
struct Point3 {
  double x, y, z;  // z: along the axis of rotation
};
inline double distance(const Point3& a, const Point3& b) {
  const double x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;
  return std::sqrt(x * x + y * y + z * z);
}
// 0 below `low`, 1 above `high`, a smooth step between.
inline double smooth_step(double low, double high, double value) {
  const double t = std::clamp((value - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}
// The union of two distances, rounded where they are closer than `blend` mm to each other.
inline double smooth_min(double a, double b, double blend) {
  const double near = std::max(blend - std::abs(a - b), 0.0) / blend;
  return std::min(a, b) - near * near * blend / 4;
}
inline double radians(double degrees) {
  return degrees * 0.017453292519943295;
}

struct Ellipse {
  Point centre;
  double along, across;  // half axes
  double angle = 0;      // of `along`, radians

  double operator()(Point p) const;
  Box box() const { return around(centre, std::max(along, across)); }
};

// A tapering tube with round ends; a disc when both ends are one.
struct Tube {
  Point from, to;
  double from_radius, to_radius;

  double operator()(Point p) const;
  Box box() const { return hull(around(from, from_radius), around(to, to_radius)); }
};
inline Tube disc(Point centre, double radius) {
  return {centre, centre, radius, radius};
}

// A closed curve around a centre, given by its radius in each direction.
class Outline {
 public:
  Outline(Point centre, const std::function<double(double angle)>& radius);

  double operator()(Point p) const;
  double radius(double angle) const;
  Point at(double angle, double outside = 0) const;
  Point centre() const { return centre_; }
  Box box() const { return around(centre_, largest_); }

 private:
  struct Sample {
    double radius, cosine;  // cosine: between the ray and the curve's normal
  };
  Sample sample(double x, double y) const;

  Point centre_;
  double largest_ = 0;
  std::vector<Sample> samples_;
};

// The radius of the superellipse |x / a|^n + |y / b|^n = 1 in a direction: n = 2 an ellipse, more is boxier.
double superellipse(double a, double b, double n, double angle);
// 1 in the direction `at`, falling off like a normal distribution with `width` radians.
double bump(double angle, double at, double width);

// A strip that runs along an outline, `outside` mm beyond it, with rounded ends: ribs, sternum, scapula.
struct Strip {
  const Outline* along;
  double angle;                     // of its middle
  double half_length, half_height;  // mm along the outline and across
  double outside;
  double slope = 0;  // how much farther outside it gets per mm along it

  double operator()(Point p) const;
  Box box() const;
};

}  // namespace lucivox::phantom
