#pragma once

#include <lucivox/kernels/cpu/pixels.h>

namespace lucivox::cpu {

// Through leaky ReLUs whose outputs are y: dy is multiplied by slope[c] wherever y is not above 0.
void activation_gradient(const Pixels<const float>& y, const float* slope, const Pixels<float>& dy);

}  // namespace lucivox::cpu
