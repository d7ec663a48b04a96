#include <fmt/format.h>

#include <lucivox/base/fields.h>

namespace lucivox {

void FieldReader::operator()(const char* key, AutoOr<double> either) {
  Json given = either.value == either.automatic ? Json("auto") : Json(either.value);
  table_.read(key, given);
  if (given != "auto" && !given.is_number())
    throw Error::misuse(
        fmt::format("{}.{} must be \"auto\" or a number, but is {}", path_, key, given.dump()),
        "write \"auto\" or a number");
  either.value = given == "auto" ? either.automatic : given.get<double>();
}

}  // namespace lucivox
