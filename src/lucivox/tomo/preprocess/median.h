#pragma once

#include <algorithm>
#include <cstdint>

namespace lucivox {

// The median of values[0] to values[count - 1], which come out in another order; the upper one of the two in
// the middle when their number is even. count > 0, no NaN.
inline float median(float* values, int64_t count) {
  std::nth_element(values, values + count / 2, values + count);
  return values[count / 2];
}

}  // namespace lucivox
