#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/overload.h>
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
  return std::visit(Overload{
                        [&](Convolution op) -> Operation {
                          op.in = in;
                          op.out = out;
                          return op;
                        },
                        [&](BatchNorm op) -> Operation {
                          op.channels = out;
                          return op;
                        },
                        [](const Weightless auto& op) -> Operation { return op; },
                        [](const Input& op) -> Operation { return op; },
                        [](const Softmax& op) -> Operation { return op; },
                        [](const Concat& op) -> Operation { return op; },
                        [](const Add& op) -> Operation { return op; },
                        [](const Dense& op) -> Operation { return op; },
                    },
                    operation);
}

// The channels of a node's output that are left, from those of the nodes that it reads.
class KeptChannels {
 public:
  KeptChannels(const Graph& dense, const KeptFilters& filters) : dense_(dense), filters_(filters) {}

  std::vector<Channels> of_all_nodes() {
    for (const Node& node : dense_.nodes()) {
      node_ = &node;
      kept_.push_back(std::visit(*this, node.operation));
    }
    return std::move(kept_);
  }

  Channels operator()(const Input& op) const { return all_of(op.channels); }
  Channels operator()(const Convolution& op) const {
    if (op.groups > 1) require_whole_inputs();
    return op.groups == 1 ? kept_of(*node_, op, filters_) : all_of(op.out);
  }
  Channels operator()(const EachChannel auto&) const { return input(0); }
  Channels operator()(const Softmax&) const {
    require_whole_inputs();
    return input(0);
  }
  Channels operator()(const Concat&) const { return joined(dense_, *node_, kept_); }
  Channels operator()(const Add&) const {
    for (size_t i = 1; i < node_->inputs.size(); ++i) {
      if (input(i) != input(0))
        throw Error(fmt::format("what '{}' adds would lose different channels", node_->name), kDamaged);
    }
    return input(0);
  }
  Channels operator()(const Dense& op) const {
    require_whole_inputs();
    return all_of(op.out);
  }

 private:
  const Channels& input(size_t i) const { return kept_[static_cast<size_t>(node_->inputs[i])]; }
  void require_whole_inputs() const {
    if (count(input(0)) != dense_.channels(node_->inputs[0]))
      throw Error(fmt::format("'{}' would lose a channel that it cannot do without", node_->name), kDamaged);
  }

  const Graph& dense_;
  const KeptFilters& filters_;
  const Node* node_ = nullptr;
  std::vector<Channels> kept_;
};

// What is left of a weight along each of its dimensions; nothing where it keeps its length (taps).
std::vector<const Channels*> kept_along(const Shrinking& s, const WeightSpec& spec) {
  const auto& kept = s.kept[static_cast<size_t>(spec.node)];
  const Node& node = s.dense.node(spec.node);
  std::vector<const Channels*> along(spec.shape.size(), nullptr);
  const auto* conv = std::get_if<Convolution>(&node.operation);
  if (std::holds_alternative<Dense>(node.operation) || (conv != nullptr && conv->groups > 1)) return along;
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

Weights with_state(const Graph& graph, const NamedTensors& state) {
  Weights weights(graph, 0);
  if (!state.empty()) weights.to(state.front().second.options());
  weights.load_state(state);
  return weights;
}

}  // namespace

Shrinking shrinking_of(const Graph& dense, const KeptFilters& filters) {
  require_convolutions(dense, filters);
  std::vector<Channels> kept = KeptChannels(dense, filters).of_all_nodes();
  if (count(kept.back()) != dense.channels(dense.output()))
    throw Error("the network's output would lose a channel", kDamaged);
  return {dense, std::move(kept)};
}

Graph shrunk_graph(const Shrinking& shrinking) {
  const auto channels = [&](NodeId id) { return count(shrinking.kept[static_cast<size_t>(id)]); };
  const Graph& dense = shrinking.dense;
  Graph graph(dense.architecture(), dense.initialisation(), dense.dimensions());
  for (NodeId id = 0; id <= dense.output(); ++id) {
    Node node = dense.node(id);
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

Weights shrink(const Shrinking& shrinking, const Weights& dense) {
  return with_state(shrunk_graph(shrinking), shrink(shrinking, dense.state()));
}

Weights expand(const Shrinking& shrinking, const Weights& shrunk) {
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
