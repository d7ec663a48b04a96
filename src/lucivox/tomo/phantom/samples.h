#pragma once

#include <cstdint>
#include <functional>

#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom/canvas.h>
#include <lucivox/tomo/phantom/packing.h>
#include <lucivox/tomo/phantom/sample_field.h>

// Materials as cores of about 3 mm. Attenuations are those at 20 keV: elements by the tables of J. H. Hubbell
// and S. M. Seltzer (NISTIR 5632), summed by composition and density.
namespace lucivox::phantom {

// Paints the section at height `z_mm` onto a canvas of air.
using Sample = std::function<void(Canvas& canvas, double z_mm)>;

// What was packed, or lies about at random, is there again after this height.
inline constexpr double kPeriodMm = kSampleFieldMm;

// A section of the core, not quite in the middle of the field and always within it.
Tube random_core(Random& random);
// Where the content of a core is packed: also beyond its rim, which cuts through it.
PackedCylinder around_core(double margin_mm);
// A direction in the plane of the slices, tilted out of it by an angle.
Point3 direction(double angle, double tilt);

Sample random_glass(uint64_t seed);
Sample random_shale(uint64_t seed);
Sample random_foam(uint64_t seed);
Sample random_fibres(uint64_t seed);

}  // namespace lucivox::phantom
