#include <lucivox/base/version.h>

namespace lucivox {

std::string version() {
  return LUCIVOX_VERSION;
}

}  // namespace lucivox
