#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/overload.h>
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
at::Tensor readings(const Weights& network, const Node& node, const Convolution& conv) {
  const at::Tensor weight = network.weight(node.name + ".weight");
  return (conv.transposed ? weight.transpose(0, 1) : weight).ne(0).flatten(2).any(2).cpu();
}

at::Tensor is_zero(const Weights& network, const std::string& weight) {
  return (network.weight(weight) == 0).cpu();
}

class Liveness {
 public:
  explicit Liveness(const Weights& network)
      : network_(network), graph_(network.graph()), zero_(graph_.nodes().size()), needed_(zero_.size()) {
    for (NodeId id = 0; id <= graph_.output(); ++id) {
      at_node(zero_, id) = zeros_of(graph_.node(id));
      at_node(needed_, id) = at::zeros_like(at_node(zero_, id));
    }
    at_node(needed_, graph_.output()).fill_(true);
    // once more while there is more: what is added keeps the same channels, so one input's need is all
    // others'
    at::Tensor before;
    do {
      before = at::cat(needed_);
      for (NodeId id = graph_.output(); id > 0; --id) mark_needed_by(id);
    } while (!at::equal(before, at::cat(needed_)));
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
    const auto none = [](int64_t channels) { return at::zeros({channels}, at::kBool); };
    const auto input = [&](size_t i) -> const at::Tensor& { return at_node(zero_, node.inputs[i]); };
    return std::visit(Overload{
                          [&](const Input& op) { return none(op.channels); },
                          [&](const Convolution& op) {
                            if (op.groups > 1) return none(op.out);
                            const at::Tensor reads = readings(network_, node, op) & ~input(0);
                            return ~reads.any(1) & is_zero(network_, node.name + ".bias");
                          },
                          [&](const BatchNorm&) {
                            return is_zero(network_, node.name + ".weight") &
                                   is_zero(network_, node.name + ".bias");
                          },
                          [&]<Weightless Op>(const Op&) {
                            return Op::kKeepsZero ? input(0).clone() : none(input(0).size(0));
                          },
                          [&](const Softmax&) { return none(input(0).size(0)); },
                          [&](const Concat&) {
                            Flags joined;
                            for (size_t i = 0; i < node.inputs.size(); ++i) joined.push_back(input(i));
                            return at::cat(joined);
                          },
                          [&](const Add&) {
                            at::Tensor all = input(0).clone();
                            for (size_t i = 1; i < node.inputs.size(); ++i) all &= input(i);
                            return all;
                          },
                          [&](const Dense& op) { return none(op.out); },
                      },
                      node.operation);
  }

  // Marks the channels that a node reads for the sake of those of its own that are needed.
  void mark_needed_by(NodeId id) {
    const Node& node = graph_.node(id);
    at::Tensor& needed = at_node(needed_, id);
    const auto input = [&](size_t i) -> at::Tensor& { return at_node(needed_, node.inputs[i]); };
    std::visit(Overload{
                   [](const Input&) {},
                   [&](const Convolution& op) {
                     if (op.groups > 1) {  // each filter stays with its group
                       needed.fill_(true);
                       input(0).fill_(true);
                       return;
                     }
                     if (!needed.any().item<bool>()) needed[0] = true;  // one filter stays
                     const at::Tensor read =
                         readings(network_, node, op).logical_and(needed.unsqueeze(1)).any(0);
                     input(0) |= read & ~at_node(zero_, node.inputs[0]);
                   },
                   [&](const EachChannel auto&) { input(0) |= needed; },
                   [&](const Softmax&) { input(0).fill_(true); },
                   [&](const Concat&) {
                     int64_t first = 0;
                     for (size_t i = 0; i < node.inputs.size(); ++i) {
                       input(i) |= needed.narrow(0, first, input(i).size(0));
                       first += input(i).size(0);
                     }
                   },
                   [&](const Add&) {
                     for (size_t i = 0; i < node.inputs.size(); ++i) needed |= input(i);
                     for (size_t i = 0; i < node.inputs.size(); ++i) input(i) |= needed;
                   },
                   [&](const Dense&) { input(0).fill_(true); },
               },
               node.operation);
  }

  const Weights& network_;
  const Graph& graph_;
  Flags zero_, needed_;
};

}  // namespace

Shrinking removable_channels(const Weights& network) {
  const at::NoGradGuard no_grad;
  return shrinking_of(network.graph(), Liveness(network).kept_filters());
}

Model shrink(Model model) {
  if (model.removed) {
    throw Error::misuse(fmt::format("the model '{}' is shrunk already", model.name),
                        "expand it first, or take the model that it was made from");
  }
  Shrinking removed = removable_channels(model.weights);
  if (shrunk_graph(removed).weight_count() == model.weights.graph().weight_count()) return model;
  model.weights = shrink(removed, model.weights);
  model.removed = std::move(removed);
  return model;
}

Model expand(Model model) {
  if (!model.removed) {
    throw Error::misuse(fmt::format("the model '{}' is not shrunk", model.name),
                        "only a shrunk model can be expanded");
  }
  model.weights = expand(*model.removed, model.weights);
  model.removed.reset();
  return model;
}

}  // namespace lucivox
