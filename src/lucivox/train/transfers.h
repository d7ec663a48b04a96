#pragma once

#include <cstdint>

namespace lucivox {

// Bytes that training itself moved beside steps' arithmetic (Chaturvedi et al., figure 9a).
struct Transfers {
  int64_t host_to_device = 0;
  int64_t device_to_device = 0;

  Transfers& operator+=(const Transfers& more) {
    host_to_device += more.host_to_device;
    device_to_device += more.device_to_device;
    return *this;
  }
};

}  // namespace lucivox
