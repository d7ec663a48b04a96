#include <cmath>

#include <ATen/ATen.h>

#include <lucivox/sparse/convolutions.h>

namespace lucivox {
namespace {

// For each node, whether the output is reached from it without another convolution on the way.
std::vector<bool> last_convolutions(const Graph& graph) {
  std::vector<bool> last(static_cast<size_t>(graph.output()) + 1, false);
  last.back() = true;
  for (NodeId id = graph.output(); id >= 0; --id) {
    const Node& node = graph.node(id);
    if (!last[static_cast<size_t>(id)] || std::holds_alternative<Convolution>(node.operation)) continue;
    for (const NodeId input : node.inputs) last[static_cast<size_t>(input)] = true;
  }
  return last;
}

}  // namespace

std::vector<ConvolutionWeight> convolutions_of(const Weights& network) {
  const std::vector<bool> last = last_convolutions(network.graph());
  std::vector<ConvolutionWeight> found;
  for (NodeId id = 0; id <= network.graph().output(); ++id) {
    const Node& node = network.graph().node(id);
    if (const auto* conv = std::get_if<Convolution>(&node.operation))
      found.push_back({id, node.name, *conv, network.weight(node.name + ".weight").detach(),
                       last[static_cast<size_t>(id)]});
  }
  return found;
}

int64_t share_of(double amount, int64_t total) {
  return std::lround(amount * static_cast<double>(total));
}

at::Tensor keep_largest(const at::Tensor& values, int64_t pruned) {
  const at::Tensor order = std::get<1>(values.sort(true, 0, false));  // stable
  return at::ones_like(values).index_fill_(0, order.narrow(0, 0, pruned), 0);
}

}  // namespace lucivox
