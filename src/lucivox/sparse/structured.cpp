#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/sparse/structured.h>

namespace lucivox {
namespace {

// The nodes that a filter's channel passes: batch norms on the way and the convolutions that end it.
struct Readers {
  std::vector<NodeId> norms, convolutions;
};

// Follows a channel from `id` to where it is summed up; nothing when it is tied to others on the way.
bool follow(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId id,
            Readers& readers) {
  if (id == graph.output()) return false;
  for (const NodeId next : consumers[static_cast<size_t>(id)]) {
    const Operation& op = graph.node(next).operation;
    if (std::holds_alternative<Concat>(op)) return false;
    if (std::holds_alternative<Convolution>(op)) {
      readers.convolutions.push_back(next);
      continue;
    }
    if (std::holds_alternative<BatchNorm>(op)) readers.norms.push_back(next);
    if (!follow(graph, consumers, next, readers)) return false;
  }
  return true;
}

// Along which dimension of its weight a convolution's filters (or its input channels) lie.
int64_t filter_dimension(const Convolution& conv) {
  return conv.transposed ? 1 : 0;
}
int64_t channel_dimension(const Convolution& conv) {
  return conv.transposed ? 0 : 1;
}

// [filters] of 1 (kept) and 0: the smallest L1 norms go; among equals the first.
at::Tensor kept_filters(const at::Tensor& weight, int64_t dimension, double amount, const std::string& name) {
  const at::Tensor norms = weight.detach().abs().transpose(0, dimension).flatten(1).sum(1);
  const int64_t filters = norms.size(0);
  const auto pruned = static_cast<int64_t>(std::lround(amount * static_cast<double>(filters)));
  if (pruned >= filters) {
    throw Error(fmt::format("pruning {} of {} filters would leave '{}' empty", pruned, filters, name),
                "choose a smaller amount");
  }
  const at::Tensor order = std::get<1>(norms.sort(true, 0, false));  // stable
  at::Tensor kept = torch::ones({filters});
  kept.index_fill_(0, order.narrow(0, 0, pruned), 0);
  return kept;
}

class MaskBuilder {
 public:
  explicit MaskBuilder(const Network& network) : network_(network) {}

  // Prunes along one dimension of a weight; several prunings of one weight add up.
  void prune(const std::string& name, int64_t dimension, const at::Tensor& kept) {
    const at::Tensor& weight = network_.weight(name);
    auto [entry, added] = masks_.try_emplace(name, at::Tensor());
    if (added) entry->second = torch::ones_like(weight, weight.options().requires_grad(false));
    std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
    shape[static_cast<size_t>(dimension)] = kept.size(0);
    entry->second.mul_(kept.to(weight.options().requires_grad(false)).view(shape));
  }

  Masks masks() const { return {masks_.begin(), masks_.end()}; }

 private:
  const Network& network_;
  std::map<std::string, at::Tensor> masks_;
};

}  // namespace

Masks structured_masks(const Network& network, double amount) {
  if (!(amount >= 0 && amount < 1)) {
    throw Error::misuse(fmt::format("an amount of {} to prune", amount),
                        "give a share between 0 and 1, such as 0.5");
  }
  const torch::NoGradGuard no_grad;
  const Graph& graph = network.graph();
  const auto consumers = graph.consumers();
  MaskBuilder builder(network);
  for (NodeId id = 0; id <= graph.output(); ++id) {
    const Node& node = graph.node(id);
    const auto* conv = std::get_if<Convolution>(&node.operation);
    Readers readers;
    if (conv == nullptr || !follow(graph, consumers, id, readers)) continue;
    const std::string weight = node.name + ".weight";
    const at::Tensor kept = kept_filters(network.weight(weight), filter_dimension(*conv), amount, node.name);
    builder.prune(weight, filter_dimension(*conv), kept);
    builder.prune(node.name + ".bias", 0, kept);
    for (const NodeId norm : readers.norms) {
      builder.prune(graph.node(norm).name + ".weight", 0, kept);
      builder.prune(graph.node(norm).name + ".bias", 0, kept);
    }
    for (const NodeId reader : readers.convolutions) {
      builder.prune(graph.node(reader).name + ".weight",
                    channel_dimension(std::get<Convolution>(graph.node(reader).operation)), kept);
    }
  }
  return builder.masks();
}

}  // namespace lucivox
