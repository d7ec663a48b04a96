#pragma once

#include <cstdint>

namespace lucivox::cpu {

// Whether a convolution and its gradients run by Winograd's algorithm (winograd-inl.h): from 8 channels to 8
// on it is at least as fast as the direct sum, from 16 on twice as fast. Below, vectors of channels are half
// empty and little is gained for the larger error.
inline bool suits_winograd(int64_t kernel, int64_t stride, int64_t in, int64_t out) {
  return stride == 1 && (kernel == 3 || kernel == 5) && in >= 8 && out >= 8;
}

}  // namespace lucivox::cpu
