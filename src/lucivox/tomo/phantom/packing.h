#pragma once

#include <vector>

#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom/solids.h>

namespace lucivox::phantom {

// Where spheres are packed: a cylinder around the axis that repeats itself along it.
struct PackedCylinder {
  double radius_mm, period_mm;  // the spheres' centres lie within the radius
  double volume_mm3() const { return 3.141592653589793 * radius_mm * radius_mm * period_mm; }
};

// A place anywhere in it.
Point3 random_place(const PackedCylinder& cylinder, Random& random);

// Radii of a log-normal distribution within [smallest, largest], until their spheres have this volume.
struct SphereSizes {
  double median_mm, sigma, smallest_mm, largest_mm;  // sigma: of the logarithm
};
std::vector<double> random_radii(const SphereSizes& sizes, double volume_mm3, Random& random);

// Spheres at random places, the largest first, that share at most the part `overlap` of the smaller one's
// radius (random sequential addition); those that found no place are left out.
std::vector<Sphere> pack_spheres(const PackedCylinder& cylinder, std::vector<double> radii_mm, double overlap,
                                 Random& random);

}  // namespace lucivox::phantom
