#include <numbers>

#include <lucivox/tomo/phantom/shapes.h>

namespace lucivox::phantom {
namespace {

using std::numbers::pi;

// Enough that straight pieces between samples deviate by less than 0.01 mm on a chest's outline.
constexpr int kSamples = 1024;

// A direction as a number in [0, 4) that grows with its angle and needs no trigonometry.
double turn(double x, double y) {
  const double sum = std::abs(x) + std::abs(y);
  if (sum == 0) return 0;
  if (y >= 0) return x >= 0 ? y / sum : 1 - x / sum;
  return x < 0 ? 2 - y / sum : 3 + x / sum;
}

double angle_of_turn(double turns) {
  const int quarter = static_cast<int>(turns);
  const double part = turns - quarter;
  return quarter * pi / 2 + std::atan2(part, 1 - part);
}

double wrapped(double angle) {
  return std::remainder(angle, 2 * pi);
}

}  // namespace

double Ellipse::operator()(Point p) const {
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const Point d = p - centre;
  const double u = (d.x * cosine + d.y * sine) / along, v = (d.y * cosine - d.x * sine) / across;
  const double level = length(u, v), gradient = length(u / along, v / across);
  if (gradient == 0) return -std::min(along, across);
  return level * (level - 1) / gradient;
}

double Tube::operator()(Point p) const {
  const Point axis = to - from, d = p - from;
  const double squared = axis.x * axis.x + axis.y * axis.y;
  const double t = squared > 0 ? std::clamp((d.x * axis.x + d.y * axis.y) / squared, 0.0, 1.0) : 0;
  return length(d.x - t * axis.x, d.y - t * axis.y) - (from_radius + t * (to_radius - from_radius));
}

Outline::Outline(Point centre, const std::function<double(double)>& radius_at) : centre_(centre) {
  for (int i = 0; i <= kSamples; ++i) {
    const double angle = angle_of_turn(4.0 * (i % kSamples) / kSamples), step = 0.01;
    const double radius = radius_at(angle);
    const double slope = (radius_at(angle + step) - radius_at(angle - step)) / (2 * step * radius);
    samples_.push_back({radius, 1 / std::sqrt(1 + slope * slope)});
    largest_ = std::max(largest_, radius);
  }
}

Outline::Sample Outline::sample(double x, double y) const {
  const double place = turn(x, y) * (kSamples / 4.0);
  const auto i = std::min(static_cast<size_t>(place), static_cast<size_t>(kSamples - 1));
  const double part = place - static_cast<double>(i);
  const Sample &a = samples_[i], &b = samples_[i + 1];
  return {a.radius + part * (b.radius - a.radius), a.cosine + part * (b.cosine - a.cosine)};
}

double Outline::operator()(Point p) const {
  const Point d = p - centre_;
  const Sample edge = sample(d.x, d.y);
  return (length(d.x, d.y) - edge.radius) * edge.cosine;
}

double Outline::radius(double angle) const {
  return sample(std::cos(angle), std::sin(angle)).radius;
}

Point Outline::at(double angle, double outside) const {
  return centre_ + Point{std::cos(angle), std::sin(angle)} * (radius(angle) + outside);
}

double superellipse(double a, double b, double n, double angle) {
  return std::pow(std::pow(std::abs(std::cos(angle)) / a, n) + std::pow(std::abs(std::sin(angle)) / b, n),
                  -1 / n);
}

double bump(double angle, double at, double width) {
  const double distance = wrapped(angle - at) / width;
  return std::exp(-distance * distance / 2);
}

double Strip::operator()(Point p) const {
  const Point d = p - along->centre();
  const double s = wrapped(std::atan2(d.y, d.x) - angle) * along->radius(angle);
  const double across = (*along)(p)-outside - slope * s;
  const double rounding = std::min(half_height, half_length) * 0.9;
  const double u = std::abs(s) - half_length + rounding, v = std::abs(across) - half_height + rounding;
  return length(std::max(u, 0.0), std::max(v, 0.0)) + std::min(std::max(u, v), 0.0) - rounding;
}

Box Strip::box() const {
  const double half_angle = half_length / along->radius(angle);
  Box box = around(along->at(angle, outside), half_height);
  for (const double part : {-1.0, -0.5, 0.5, 1.0}) {
    box = hull(
        box, around(along->at(angle + part * half_angle, outside + slope * part * half_length), half_height));
  }
  return grown(box, half_height + 3);  // the bow between those five points
}

}  // namespace lucivox::phantom
