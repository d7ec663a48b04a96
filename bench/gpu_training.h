#pragma once

#include "agreements.h"
#include <c10/core/Device.h>

namespace lucivox::bench {

// What training is made of on a device against the CPU: losses, Adam, loaders; and steps that are captured
// against the same as they are.
Findings training_on(c10::Device device);

}  // namespace lucivox::bench
