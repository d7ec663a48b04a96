#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/config.h>
#include <lucivox/base/text.h>

namespace lucivox {

ConfigTable::ConfigTable(const Json& json, std::string path)
    : json_(json.is_null() ? Json::object() : json), path_(std::move(path)) {
  if (!json_.is_object()) {
    throw Error::misuse(fmt::format("{} must be a table of keys and values, not {}", path_, json_.dump()),
                        "write key = value, one a line, under the name of the table in brackets");
  }
}

Json ConfigTable::table(const std::string& key) {
  known_.push_back(key);
  return json_.contains(key) ? json_.at(key) : Json::object();
}

void ConfigTable::finish() const {
  for (const auto& [key, value] : json_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest(key, known_);
    throw Error::misuse(fmt::format("unknown key '{}' in {}", key, path_),
                        near.empty() ? fmt::format("known keys: {}", fmt::join(known_, ", "))
                                     : fmt::format("did you mean '{}'?", near));
  }
}

Error ConfigTable::wrong_type(const std::string& key, const std::string& kind) const {
  return Error::misuse(fmt::format("{}.{} has the wrong type or range: {}", path_, key, json_.at(key).dump()),
                       "write " + kind);
}

void set_value(Json& config, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error::misuse(fmt::format("--set {} has no value", assignment), "write --set key=value");
  }
  const std::string text = assignment.substr(equals + 1);
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) value = text;

  Json* place = &config;
  std::string path = assignment.substr(0, equals);
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.')) {
    place = &(*place)[path.substr(0, dot)];
    if (!place->is_null() && !place->is_object()) {
      throw Error::misuse(fmt::format("--set {}: '{}' is not a table", assignment, path.substr(0, dot)));
    }
    path = path.substr(dot + 1);
  }
  (*place)[path] = std::move(value);
}

}  // namespace lucivox
