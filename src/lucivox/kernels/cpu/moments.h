#pragma once

#include <lucivox/kernels/cpu/pixels.h>

namespace lucivox::cpu {

// Mean and (biased) variance of each channel over all pixels. Sums run in float over short blocks and in
// double over the blocks, in an order that does not depend on the number of threads: libtorch's channels-last
// kernels add hundreds of thousands of floats in a row and lose two to four digits of the variance.
void moments(const Pixels<const float>& x, double* mean, double* variance);

}  // namespace lucivox::cpu
