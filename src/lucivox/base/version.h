#pragma once

#include <string>

namespace lucivox {

// The version that is written into models, run folders and derived images, such as "0.1.0".
std::string version();

}  // namespace lucivox
