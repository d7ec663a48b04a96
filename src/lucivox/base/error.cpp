#include <utility>

#include <lucivox/base/error.h>

namespace lucivox {

Error::Error(const std::string& what, std::string hint, Kind kind)
    : std::runtime_error(what), hint_(std::move(hint)), kind_(kind) {}

Error Error::misuse(const std::string& what, std::string hint) {
  return Error(what, std::move(hint), Kind::Misuse);
}

}  // namespace lucivox
