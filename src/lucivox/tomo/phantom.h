#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lucivox {

// One axial slice of a chest that nobody has: float32 [size, size] in HU, field_mm wide, made at
// random from the seed (the same seed gives the same anatomy at any size; only its finest texture differs).
// Rows run from front to back, columns from the patient's right to left, as radiologists look at it.
// Values lie in [-1024, 2500]. Throws Error (misuse) when size < 16 or the field is not positive.
at::Tensor chest_phantom(int64_t size, double field_mm, uint64_t seed);

}  // namespace lucivox
