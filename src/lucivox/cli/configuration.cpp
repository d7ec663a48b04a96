#include <lucivox/cli/configuration.h>
#include <lucivox/formats/toml.h>

namespace lucivox {

Json read_configuration(const std::filesystem::path& path, const std::vector<std::string>& assignments) {
  Json json = path.empty() ? Json::object() : read_toml(path);
  for (const std::string& assignment : assignments) set_value(json, assignment);
  return json;
}

}  // namespace lucivox
