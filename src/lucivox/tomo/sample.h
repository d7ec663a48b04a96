#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/phantom/sample_field.h>

namespace lucivox {

// Materials that are often seen at tomography beamlines.
enum class SampleKind {
  Glass,   // porous glass: spherical pores of many sizes, sintered together here and there
  Shale,   // bedded clay with quartz, calcite, pyrite, organic matter and thin curved cracks
  Foam,    // a ceramic foam: thin walls and struts between round cells, some of them open to each other
  Fibres,  // glass fibres in resin, in plies seen across, aslant and along; voids and broken fibres
};

// By its name: "glass", "shale", "foam", "fibres". Throws Error (misuse) with the nearest one as a hint.
SampleKind sample_kind(const std::string& name);

// Sections of one sample that nobody has, at the given heights along the axis of rotation: float32
// [heights, size, size] in 1/mm at 20 keV, made at random from the seed. A core stands in air, wholly within
// the circle that fits into the field; 10 to 45 % of the beam passes through its middle. The material is the
// same at any size (only its finest texture differs), goes on along the axis without end, and its pores,
// grains and cells repeat after the width of the field. Values are means over a pixel, in [0, 6.5].
// Throws Error (misuse) when size < 16.
at::Tensor sample_phantom(SampleKind kind, int64_t size, const std::vector<double>& heights_mm,
                          uint64_t seed);

}  // namespace lucivox
