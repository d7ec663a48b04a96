#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/sparse/convolutions.h>
#include <lucivox/sparse/shrink.h>

namespace lucivox {
namespace {

// A yes or no for each channel of each node's output, on the CPU.
using Flags = std::vector<at::Tensor>;

at::Tensor& at_node(Flags& flags, NodeId id) {
  return flags[static_cast<size_t>(id)];
}

// Whether a filter has any weight for a channel: [filters, channels].
at::Tensor readings(const Network& network, const Node& node, const Convolution& conv) {
  const at::Tensor weight = network.weight(node.name + ".weight");
  return (conv.transposed ? weight.transpose(0, 1) : weight).ne(0).flatten(2).any(2).cpu();
}

at::Tensor is_zero(const Network& network, const std::string& weight) {
  return (network.weight(weight) == 0).cpu();
}

class Liveness {
 public:
  explicit Liveness(const Network& network)
      : network_(network), graph_(network.graph()), zero_(graph_.nodes().size()), needed_(zero_.size()) {
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      at_node(zero_, id) = zeros_of(graph_.node(id));
      at_node(needed_, id) = at::zeros_like(at_node(zero_, id));
    }
    at_node(needed_, graph_.output()).fill_(true);
    for (NodeId id = graph_.output(); id > 0; --id) mark_needed_by(id);
  }

  KeptFilters kept_filters() {
    KeptFilters kept;
    for (const ConvolutionWeight& layer : convolutions_of(network_)) {
      const at::Tensor left = at_node(needed_, layer.node).nonzero().flatten();
      kept[layer.name] = {left.const_data_ptr<int64_t>(), left.const_data_ptr<int64_t>() + left.numel()};
    }
    return kept;
  }

 private:
  // The channels of a node's output that are zero for every input of the network.
  at::Tensor zeros_of(const Node& node) {
    if (const auto* input = std::get_if<Input>(&node.operation))
      return at::zeros({input->channels}, at::kBool);
    if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
      const at::Tensor reads = readings(network_, node, *conv) & ~at_node(zero_, node.inputs[0]);
      return ~reads.any(1) & is_zero(network_, node.name + ".bias");
    }
    if (const auto* dense = std::get_if<Dense>(&node.operation)) return at::zeros({dense->out}, at::kBool);
    if (std::holds_alternative<BatchNorm>(node.operation))
      return is_zero(network_, node.name + ".weight") & is_zero(network_, node.name + ".bias");
    Flags joined;
    for (const NodeId from : node.inputs) joined.push_back(at_node(zero_, from));
    return at::cat(joined);
  }

  // Marks the channels that a node reads for the sake of those of its own that are needed.
  void mark_needed_by(NodeId id) {
    const Node& node = graph_.node(id);
    at::Tensor& needed = at_node(needed_, id);
    if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
      if (!needed.any().item<bool>()) needed[0] = true;  // one filter stays
      const at::Tensor read = readings(network_, node, *conv).logical_and(needed.unsqueeze(1)).any(0);
      at_node(needed_, node.inputs[0]) |= read & ~at_node(zero_, node.inputs[0]);
      return;
    }
    if (std::holds_alternative<Dense>(node.operation)) {
      at_node(needed_, node.inputs[0]).fill_(true);
      return;
    }
    int64_t first = 0;
    for (const NodeId from : node.inputs) {
      at_node(needed_, from) |= needed.narrow(0, first, graph_.channels(from));
      first += graph_.channels(from);
    }
  }

  const Network& network_;
  const Graph& graph_;
  Flags zero_, needed_;
};

}  // namespace

Shrinking removable_channels(const Network& network) {
  const at::NoGradGuard no_grad;
  return shrinking_of(network.graph(), Liveness(network).kept_filters());
}

Model shrink(const Model& model) {
  if (model.removed) {
    throw Error::misuse(fmt::format("the model '{}' is shrunk already", model.name),
                        "expand it first, or take the model that it was made from");
  }
  Shrinking removed = removable_channels(model.network);
  if (shrunk_graph(removed).weight_count() == model.network.graph().weight_count()) return model;
  Model smaller = model;
  smaller.network = shrink(removed, model.network);
  smaller.removed = std::move(removed);
  return smaller;
}

Model expand(const Model& model) {
  if (!model.removed) {
    throw Error::misuse(fmt::format("the model '{}' is not shrunk", model.name),
                        "only a shrunk model can be expanded");
  }
  Model whole = model;
  whole.network = expand(*model.removed, model.network);
  whole.removed.reset();
  return whole;
}

}  // namespace lucivox
