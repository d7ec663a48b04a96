#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/msdnet.h>
#include <lucivox/nn/networks/table.h>
#include <lucivox/nn/networks/tomogan.h>

namespace lucivox {
namespace {

template <typename Options>
Options options_from(const Json& json) {
  Options options;
  read_fields(json, "network", options);
  return options;
}

template <typename Options, Graph (*build)(const Options&)>
constexpr NetworkKind kind(const char* name) {
  return {name, [](const Json& json) { return fields_json(options_from<Options>(json)); },
          [](const Json& json) { return build(options_from<Options>(json)); }};
}

constexpr NetworkKind kKinds[] = {
    kind<DdnetOptions, ddnet>("ddnet"),
    kind<TomoganOptions, tomogan>("tomogan"),
    kind<MsdnetOptions, msdnet>("msdnet"),
};

}  // namespace

std::span<const NetworkKind> network_kinds() {
  return kKinds;
}

const NetworkKind& network_kind(const std::string& name) {
  const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                   [&](const NetworkKind& one) { return one.name == name; });
  if (found != std::end(kKinds)) return *found;
  std::string known;
  for (const NetworkKind& one : kKinds) known += fmt::format("{}{}", known.empty() ? "" : ", ", one.name);
  throw Error::misuse(fmt::format("unknown network '{}'", name), "there are: " + known);
}

}  // namespace lucivox
