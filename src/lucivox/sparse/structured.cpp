#include <algorithm>
#include <map>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/overload.h>
#include <lucivox/sparse/convolutions.h>
#include <lucivox/sparse/structured.h>

namespace lucivox {
namespace {

// What a convolution's channels pass: batch norms on the way and the convolutions that end it.
struct Readers {
  std::vector<NodeId> norms, convolutions;
};

// Follows channels from `id` to where they are summed up; false when they are tied to others on the way.
bool follow(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId id,
            Readers& readers) {
  if (id == graph.output()) return false;
  const auto passes = [&](NodeId next) { return follow(graph, consumers, next, readers); };
  for (const NodeId next : consumers[static_cast<size_t>(id)]) {
    const bool free = std::visit(Overload{
                                     [&](const Convolution& op) {
                                       readers.convolutions.push_back(next);
                                       return op.groups == 1;
                                     },
                                     [&](const BatchNorm&) {
                                       readers.norms.push_back(next);
                                       return passes(next);
                                     },
                                     [&](const Weightless auto&) { return passes(next); },
                                     [](const Input&) { return false; },
                                     [](const Softmax&) { return false; },
                                     [](const Concat&) { return false; },
                                     [](const Add&) { return false; },
                                     [](const Dense&) { return false; },
                                 },
                                 graph.node(next).operation);
    if (!free) return false;
  }
  return true;
}

// The weights of one convolution that belong to each channel: [channels, weights a channel].
struct Slices {
  ConvolutionWeight layer;
  at::Tensor weights;
};

Slices slices_along(const ConvolutionWeight& layer, int64_t dimension) {
  return {layer, layer.weight.transpose(0, dimension).flatten(1)};
}

// What the channels of `maker` are judged by.
std::vector<Slices> judged(const Weights& network, const ConvolutionWeight& maker, const Readers& readers,
                           Structure structure) {
  if (structure == Structure::Filters) return {slices_along(maker, maker.convolution.filter_dimension())};
  std::vector<Slices> all;
  for (const ConvolutionWeight& layer : convolutions_of(network)) {
    if (std::find(readers.convolutions.begin(), readers.convolutions.end(), layer.node) !=
        readers.convolutions.end())
      all.push_back(slices_along(layer, layer.convolution.channel_dimension()));
  }
  return all;
}

bool all_targeted(const std::vector<Slices>& slices, const StructuredOptions& options) {
  return std::all_of(slices.begin(), slices.end(),
                     [&](const Slices& one) { return options.targeted(one.layer); });
}

// [channels] of 1 (kept) and 0.
at::Tensor kept_channels(const std::vector<Slices>& slices, int norm, double amount,
                         const std::string& name) {
  std::vector<at::Tensor> weights;
  for (const Slices& one : slices) weights.push_back(one.weights);
  const at::Tensor norms = at::cat(weights, 1).norm(norm, 1);
  const int64_t channels = norms.size(0), pruned = share_of(amount, channels);
  if (pruned == channels) {
    throw Error(fmt::format("pruning {} of {} filters would leave nothing of '{}'", pruned, channels, name),
                "choose a smaller amount");
  }
  return keep_largest(norms, pruned);
}

class MaskBuilder {
 public:
  explicit MaskBuilder(const Weights& network) : network_(network) {}

  // A channel's filter and bias, its place in the norms behind it and in the convolutions that read it.
  void prune(const ConvolutionWeight& maker, const Readers& readers, const at::Tensor& kept) {
    const Graph& graph = network_.graph();
    prune(maker.name + ".weight", maker.convolution.filter_dimension(), kept);
    prune(maker.name + ".bias", 0, kept);
    for (const NodeId norm : readers.norms) {
      prune(graph.node(norm).name + ".weight", 0, kept);
      prune(graph.node(norm).name + ".bias", 0, kept);
    }
    for (const NodeId reader : readers.convolutions) {
      const Node& node = graph.node(reader);
      prune(node.name + ".weight", std::get<Convolution>(node.operation).channel_dimension(), kept);
    }
  }

  Masks masks() const { return {masks_.begin(), masks_.end()}; }

 private:
  // Several prunings of one weight add up.
  void prune(const std::string& name, int64_t dimension, const at::Tensor& kept) {
    const at::Tensor& weight = network_.weight(name);
    auto [entry, added] = masks_.try_emplace(name, at::Tensor());
    if (added) entry->second = at::ones_like(weight, weight.options().requires_grad(false));
    std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
    shape[static_cast<size_t>(dimension)] = kept.size(0);
    entry->second.mul_(kept.view(shape));
  }

  const Weights& network_;
  std::map<std::string, at::Tensor> masks_;
};

}  // namespace

Masks structured_masks(const Weights& network, double amount, const StructuredOptions& options) {
  const at::NoGradGuard no_grad;
  const Graph& graph = network.graph();
  const auto consumers = graph.consumers();
  MaskBuilder builder(network);
  for (const ConvolutionWeight& maker : convolutions_of(network)) {
    Readers readers;
    if (!follow(graph, consumers, maker.node, readers)) continue;
    const auto slices = judged(network, maker, readers, options.structure);
    if (slices.empty() || !all_targeted(slices, options)) continue;
    builder.prune(maker, readers, kept_channels(slices, options.norm, amount, maker.name));
  }
  return builder.masks();
}

}  // namespace lucivox
