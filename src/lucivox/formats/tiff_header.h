#pragma once

#include <cstdint>
#include <string>

#include <lucivox/image/image.h>

namespace lucivox::formats {

// The part of the header that only TIFF has.
struct TiffHeader : NativeHeader {
  std::string description;
  float x_resolution = 0, y_resolution = 0;  // pixels per unit; 0: not given
  uint16_t resolution_unit = 1;              // 1: none, 2: inch, 3: centimetre
};

}  // namespace lucivox::formats
