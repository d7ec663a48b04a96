#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/shrinking.h>

namespace lucivox {
namespace {

using Channels = std::vector<int64_t>;

constexpr char kDamaged[] = "the model file is damaged or made by hand";

// Of a dense network that a file describes: 500 times DDNet's. Keeps a hostile one from asking for the moon.
constexpr double kMaxDenseWeights = 1 << 28;

Channels all_of(int64_t count) {
  Channels channels(static_cast<size_t>(count));
  std::iota(channels.begin(), channels.end(), int64_t{0});
  return channels;
}

// The filters of a convolution that are left.
Channels kept_of(const Node& node, const Convolution& conv, const KeptFilters& filters) {
  const auto named = filters.find(node.name);
  if (named == filters.end()) return all_of(conv.out);
  const Channels& kept = named->second;
  const bool ascending = std::adjacent_find(kept.begin(), kept.end(), std::greater_equal<>()) == kept.end();
  if (kept.empty() || !ascending || kept.front() < 0 || kept.back() >= conv.out) {
    throw Error(fmt::format("the filters that are left of '{}' are not some of its {}", node.name, conv.out),
                kDamaged);
  }
  return kept;
}

// The channels of its inputs, one input behind the other.
Channels joined(const Graph& dense, const Node& node, const std::vector<Channels>& kept) {
  Channels channels;
  int64_t first = 0;
  for (const NodeId from : node.inputs) {
    for (const int64_t channel : kept[static_cast<size_t>(from)]) channels.push_back(first + channel);
    first += dense.channels(from);
  }
  return channels;
}

void require_convolutions(const Graph& dense, const KeptFilters& filters) {
  for (const auto& [name, kept] : filters) {
    const bool known = std::any_of(dense.nodes().begin(), dense.nodes().end(), [&n = name](const Node& node) {
      return node.name == n && std::holds_alternative<Convolution>(node.operation);
    });
    if (!known) throw Error(fmt::format("the network has no convolution '{}'", name), kDamaged);
  }
}

int64_t count(const Channels& channels) {
  return static_cast<int64_t>(channels.size());
}

Operation with_channels(const Operation& operation, int64_t in, int64_t out) {
  if (const auto* conv = std::get_if<Convolution>(&operation)) {
    Convolution smaller = *conv;
    smaller.in = in;
    smaller.out = out;
    return smaller;
  }
  if (const auto* norm = std::get_if<BatchNorm>(&operation)) {
    BatchNorm smaller = *norm;
    smaller.channels = out;
    return smaller;
  }
  return operation;
}

// What is left of a weight along each of its dimensions; nothing where it keeps its length (taps).
std::vector<const Channels*> kept_along(const Shrinking& s, const WeightSpec& spec) {
  const auto& kept = s.kept[static_cast<size_t>(spec.node)];
  const Node& node = s.dense.node(spec.node);
  std::vector<const Channels*> along(spec.shape.size(), nullptr);
  if (std::holds_alternative<Dense>(node.operation)) return along;
  const auto* conv = std::get_if<Convolution>(&node.operation);
  if (conv == nullptr || spec.shape.size() == 1) return {&kept};
  along[static_cast<size_t>(conv->filter_dimension())] = &kept;
  along[static_cast<size_t>(conv->channel_dimension())] = &s.kept[static_cast<size_t>(node.inputs[0])];
  return along;
}

at::Tensor cut(const at::Tensor& dense, const std::vector<const Channels*>& along) {
  at::Tensor part = dense;
  for (size_t dimension = 0; dimension < along.size(); ++dimension) {
    if (along[dimension] == nullptr) continue;
    part =
        part.index_select(static_cast<int64_t>(dimension), at::tensor(*along[dimension]).to(part.device()));
  }
  return part;
}

at::Tensor put_back(const at::Tensor& part, const std::vector<const Channels*>& along,
                    const WeightSpec& spec) {
  const double fill = spec.name.ends_with(".running_var") ? 1 : 0;
  at::Tensor whole = part;
  for (size_t dimension = 0; dimension < along.size(); ++dimension) {
    if (along[dimension] == nullptr) continue;
    std::vector<int64_t> shape = whole.sizes().vec();
    shape[dimension] = spec.shape[dimension];
    whole = at::full(shape, fill, whole.options())
                .index_copy_(static_cast<int64_t>(dimension),
                             at::tensor(*along[dimension]).to(whole.device()), whole);
  }
  return whole;
}

// Applies `change` to each tensor, whose shape must be that of its weight in `graph`.
template <typename Change>
NamedTensors for_each_weight(const Shrinking& shrinking, const Graph& graph, const NamedTensors& tensors,
                             const Change& change) {
  const at::NoGradGuard no_grad;
  const std::vector<WeightSpec> dense = shrinking.dense.weights(), given = graph.weights();
  NamedTensors changed;
  for (const auto& [name, tensor] : tensors) {
    const auto spec = std::find_if(given.begin(), given.end(),
                                   [&n = name](const WeightSpec& one) { return one.name == n; });
    if (spec == given.end() || tensor.sizes() != spec->shape) {
      throw Error(fmt::format("'{}' [{}] is of another network", name, fmt::join(tensor.sizes(), ", ")),
                  "use what belongs to this model");
    }
    const WeightSpec& of_dense = dense[static_cast<size_t>(spec - given.begin())];
    changed.emplace_back(name, change(tensor.detach(), kept_along(shrinking, of_dense), of_dense));
  }
  return changed;
}

Network with_state(const Graph& graph, const NamedTensors& state) {
  Network network(graph, 0);
  if (!state.empty()) network.to(state.front().second.options());
  network.load_state(state);
  return network;
}

}  // namespace

Shrinking shrinking_of(const Graph& dense, const KeptFilters& filters) {
  require_convolutions(dense, filters);
  std::vector<Channels> kept;
  for (NodeId id = 0; id <= dense.output(); ++id) {
    const Node& node = dense.node(id);
    const auto* conv = std::get_if<Convolution>(&node.operation);
    const bool keeps_all = node.inputs.empty() || std::holds_alternative<Dense>(node.operation);
    kept.push_back(conv != nullptr ? kept_of(node, *conv, filters)
                   : keeps_all     ? all_of(dense.channels(id))
                                   : joined(dense, node, kept));
  }
  if (count(kept.back()) != dense.channels(dense.output()))
    throw Error("the network's output would lose a channel", kDamaged);
  return {dense, std::move(kept)};
}

Graph shrunk_graph(const Shrinking& shrinking) {
  const auto channels = [&](NodeId id) { return count(shrinking.kept[static_cast<size_t>(id)]); };
  Graph graph(shrinking.dense.architecture());
  for (NodeId id = 0; id <= shrinking.dense.output(); ++id) {
    Node node = shrinking.dense.node(id);
    const int64_t in = node.inputs.empty() ? 0 : channels(node.inputs[0]);
    node.operation = with_channels(node.operation, in, channels(id));
    graph.add(std::move(node));
  }
  return graph;
}

NamedTensors shrink(const Shrinking& shrinking, const NamedTensors& dense) {
  return for_each_weight(
      shrinking, shrinking.dense, dense,
      [](const at::Tensor& whole, const auto& along, const WeightSpec&) { return cut(whole, along); });
}

NamedTensors expand(const Shrinking& shrinking, const NamedTensors& shrunk) {
  return for_each_weight(shrinking, shrunk_graph(shrinking), shrunk, put_back);
}

Network shrink(const Shrinking& shrinking, const Network& dense) {
  return with_state(shrunk_graph(shrinking), shrink(shrinking, dense.state()));
}

Network expand(const Shrinking& shrinking, const Network& shrunk) {
  return with_state(shrinking.dense, expand(shrinking, shrunk.state()));
}

Json to_json(const Shrinking& shrinking) {
  Json filters = Json::object();
  for (NodeId id = 0; id <= shrinking.dense.output(); ++id) {
    const Node& node = shrinking.dense.node(id);
    const Channels& kept = shrinking.kept[static_cast<size_t>(id)];
    if (std::holds_alternative<Convolution>(node.operation) && count(kept) < shrinking.dense.channels(id))
      filters[node.name] = kept;
  }
  return {{"dense", to_json(shrinking.dense)}, {"filters", std::move(filters)}};
}

Shrinking shrinking_from_json(const Json& json) {
  ConfigTable table(json, "removed");
  const Graph dense = graph_from_json(table.table("dense"));
  const Json filters_json = table.table("filters");
  ConfigTable named(filters_json, "removed.filters");
  table.finish();
  if (!(dense.weight_count() <= kMaxDenseWeights))
    throw Error(fmt::format("a dense network of {:.0f} weights", dense.weight_count()), kDamaged);
  KeptFilters filters;
  for (const Node& node : dense.nodes()) {
    if (std::holds_alternative<Convolution>(node.operation) && filters_json.contains(node.name))
      named.read(node.name, filters[node.name]);
  }
  named.finish();
  return shrinking_of(dense, filters);
}

}  // namespace lucivox
