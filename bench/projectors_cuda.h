#pragma once

#include <vector>

#include "agreements.h"
#include <c10/core/Device.h>

namespace lucivox::bench {

// The CUDA projectors against their CPU twins, in all beams.
std::vector<Agreement> projectors_on(c10::Device device);

}  // namespace lucivox::bench
