#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/table.h>
#include <lucivox/nn/networks/tomogan.h>

namespace lucivox {
namespace {

template <auto options_from, auto build>
constexpr NetworkKind kind(const char* name) {
  return {name, [](const Json& options) { return to_json(options_from(options)); },
          [](const Json& options) { return build(options_from(options)); }};
}

constexpr NetworkKind kKinds[] = {
    kind<ddnet_options, ddnet>("ddnet"),
    kind<tomogan_options, tomogan>("tomogan"),
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
