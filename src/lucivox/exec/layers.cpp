#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/overload.h>
#include <lucivox/exec/layers.h>

namespace lucivox {
namespace {

bool is_square(const Axes& axes, int64_t along_z = 1) {
  return axes[0] == along_z && axes[1] == axes[2];
}

// Whether our kernels compute it, in a layer or between layers.
bool in_layers(const Operation& operation) {
  return std::visit(Overload{
                        [](const Input&) { return true; },
                        [](const Convolution& op) { return op.plain(); },
                        [](const BatchNorm&) { return true; },
                        [](const LeakyRelu& op) { return op.slope >= 0 && op.slope < 1; },
                        [](const MaxPool& op) {
                          return is_square(op.kernel) && is_square(op.stride) && is_square(op.padding, 0);
                        },
                        [](const Upsample& op) {
                          return is_square(op.factor) && op.interpolation == Interpolation::Linear &&
                                 op.grids != Grids::Origins;
                        },
                        [](const Concat&) { return true; },
                        [](const Elu&) { return false; },
                        [](const Swish&) { return false; },
                        [](const Sigmoid&) { return false; },
                        [](const Softmax&) { return false; },
                        [](const AveragePool&) { return false; },
                        [](const Add&) { return false; },
                        [](const Dense&) { return false; },
                    },
                    operation);
}

// The nodes before the first dense layer.
Graph body_of(const Graph& graph) {
  Graph body(graph.architecture(), graph.initialisation(), graph.dimensions());
  for (const Node& node : graph.nodes()) {
    if (std::holds_alternative<Dense>(node.operation)) break;
    body.add(node);
  }
  return body;
}

std::string obstacle_at(const Node& node, const char* why) {
  return fmt::format("node '{}' {}", node.name, why);
}

// Nodes behind the body may read nothing of it but its output. Empty when they do not.
std::string obstacle_behind(const Graph& body, const Graph& graph) {
  for (NodeId id = body.output() + 1; id <= graph.output(); ++id) {
    for (const NodeId from : graph.node(id).inputs) {
      if (from < body.output()) return obstacle_at(graph.node(from), "is read by dense layers");
    }
  }
  return {};
}

class Builder {
 public:
  explicit Builder(Graph body) : layers_{std::move(body), {}, {}, {}, {}}, readers_(graph_.consumers()) {
    layers_.places.resize(graph_.nodes().size());
  }

  AsLayers build() {
    if (std::string found = obstacle(); !found.empty()) return {std::nullopt, std::move(found)};
    if (std::string found = join(); !found.empty()) return {std::nullopt, std::move(found)};
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      const Operation& op = graph_.node(id).operation;
      const bool inside = std::holds_alternative<BatchNorm>(op) || activated(id);
      if (!inside && !place(id).given()) give(id);
      if (!std::holds_alternative<Concat>(op) && !inside && id > 0) layers_.steps.push_back(step(id));
    }
    layers_.weights = graph_.weights();
    return {std::move(layers_), {}};
  }

 private:
  template <typename Kind>
  bool is(NodeId id) const {
    return std::holds_alternative<Kind>(graph_.node(id).operation);
  }
  const std::vector<NodeId>& readers(NodeId id) const { return readers_[static_cast<size_t>(id)]; }
  NodeId input_of(NodeId id) const { return graph_.node(id).inputs[0]; }
  Place& place(NodeId id) { return layers_.places[static_cast<size_t>(id)]; }

  template <typename Kind>
  bool read_only_by(NodeId id) const {
    return readers(id).size() == 1 && is<Kind>(readers(id)[0]);
  }
  // A convolution whose output exists only behind its activation.
  bool activated(NodeId id) const { return is<Convolution>(id) && read_only_by<LeakyRelu>(id); }

  // Empty when there is none.
  std::string obstacle() const {
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      const Node& node = graph_.node(id);
      if (!in_layers(node.operation))
        return obstacle_at(node, "is an operation that our kernels do not have");
      if (id != graph_.output() && readers(id).empty()) return obstacle_at(node, "is read by nothing");
      if (is<BatchNorm>(id) && !read_only_by<Convolution>(id))
        return obstacle_at(node, "is a batch norm without a convolution behind it");
      if (is<LeakyRelu>(id) && !activated(input_of(id)))
        return obstacle_at(node, "is an activation without a convolution before it");
    }
    return {};
  }

  // Gives concatenations their buffers, the outermost first, so that those inside lie in theirs. Returns what
  // prevents it, or nothing.
  std::string join() {
    for (NodeId id = graph_.output(); id > 0; --id) {
      if (!is<Concat>(id)) continue;
      if (!place(id).given()) give(id);
      int64_t first = place(id).first;
      for (const NodeId part : graph_.node(id).inputs) {
        if (place(part).given() || is<BatchNorm>(part))
          return obstacle_at(graph_.node(part), "is joined more than once, or normalised");
        place(part) = {place(id).buffer, first, graph_.channels(part)};
        first += graph_.channels(part);
      }
    }
    return {};
  }

  void give(NodeId id) {
    place(id) = {static_cast<int64_t>(layers_.buffer_channels.size()), 0, graph_.channels(id)};
    layers_.buffer_channels.push_back(graph_.channels(id));
  }

  Step step(NodeId id) const {
    if (!is<Convolution>(id) && !is<LeakyRelu>(id)) return Resampling{input_of(id), id};
    Layer layer{};
    layer.convolution = is<LeakyRelu>(id) ? input_of(id) : id;
    if (is<LeakyRelu>(id)) layer.activation = id;
    layer.input = input_of(layer.convolution);
    if (is<BatchNorm>(layer.input)) {
      layer.norm = layer.input;
      layer.input = input_of(layer.input);
    }
    return layer;
  }

  Layers layers_;
  const Graph& graph_ = layers_.body;
  const std::vector<std::vector<NodeId>> readers_;
};

}  // namespace

AsLayers as_layers(const Graph& graph) {
  if (graph.dimensions() != 2) return {std::nullopt, "it has three dimensions"};
  Graph body = body_of(graph);
  if (body.nodes().size() < 2) return {std::nullopt, "it has no layers before its dense ones"};
  if (std::string found = obstacle_behind(body, graph); !found.empty())
    return {std::nullopt, std::move(found)};
  return Builder(std::move(body)).build();
}

}  // namespace lucivox
