#pragma once

#include <lucivox/kernels/cpu/pixels.h>

namespace lucivox::cpu {

// How a gradient arrives at activations x that others read too: it is added where `kept` is 1, and overwrites
// what was there before where it is 0; then it is multiplied by `slope` where x is not above 0, the way back
// through a leaky ReLU whose output x is (1: x is none, or other gradients are to come). Both of [channels].
struct Arrival {
  Pixels<const float> x;
  const float *kept, *slope;
};

}  // namespace lucivox::cpu
