#pragma once

#include <span>
#include <string>

#include <lucivox/nn/graph.h>

namespace lucivox {

// A network that can be built by name, from options as configuration files have them.
struct NetworkKind {
  const char* name;
  // With every default filled in. Throws Error (misuse) for unknown keys and for what makes no sense.
  Json (*resolve)(const Json& options);
  Graph (*build)(const Json& options);
};

std::span<const NetworkKind> network_kinds();
// Throws Error (misuse) when there is none of that name.
const NetworkKind& network_kind(const std::string& name);

}  // namespace lucivox
