#include <cmath>

#include <lucivox/tomo/phantom/samples.h>

namespace lucivox::phantom {

Tube random_core(Random& random) {
  const double radius = random.uniform(0.43, 0.455) * kSampleFieldMm, aside = 0.02 * kSampleFieldMm;
  return disc({random.uniform(-aside, aside), random.uniform(-aside, aside)}, radius);
}

PackedCylinder around_core(double margin_mm) {
  return {kSampleFieldMm / 2 + margin_mm, kPeriodMm};
}

Point3 direction(double angle, double tilt) {
  return {std::cos(angle) * std::cos(tilt), std::sin(angle) * std::cos(tilt), std::sin(tilt)};
}

}  // namespace lucivox::phantom
