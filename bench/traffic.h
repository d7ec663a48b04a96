#pragma once

#include <functional>

#include <lucivox/base/config.h>

namespace lucivox::bench {

// What a GPU itself recorded that was moved while `work` ran, in bytes: "host_to_device", "device_to_host",
// "device_to_device", "memset" (Chaturvedi et al., figure 9a).
Json traffic_of(const std::function<void()>& work);

}  // namespace lucivox::bench
