#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/toml.h>

namespace lucivox {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;

}  // namespace

Json read_toml(const std::filesystem::path& path) {
  try {
    std::ostringstream json;
    json << toml::json_formatter(toml::parse(read_file(path, kMaxBytes), path.string()));
    return Json::parse(json.str());
  } catch (const toml::parse_error& error) {
    throw Error::misuse(
        fmt::format("{}, line {}: {}", path.string(), error.source().begin.line, error.description()),
        "see examples/ for configurations that work");
  }
}

}  // namespace lucivox
