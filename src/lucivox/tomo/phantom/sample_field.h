#pragma once

namespace lucivox {

// The field of view, whatever its size in pixels: 3.25 um a pixel at 1024, the 6.5 um of a usual camera
// behind a twofold objective.
inline constexpr double kSampleFieldMm = 3.328;

}  // namespace lucivox
