#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/exec/layers_run.h>
#include <lucivox/exec/network.h>

namespace lucivox {
namespace {

std::vector<std::vector<NodeId>> last_uses(const Graph& graph,
                                           const std::vector<std::vector<NodeId>>& readers) {
  std::vector<std::vector<NodeId>> released(graph.nodes().size());
  for (NodeId id = 0; id < graph.output(); ++id) {
    const auto& of_id = readers[static_cast<size_t>(id)];
    const NodeId last = of_id.empty() ? id : of_id.back();
    released[static_cast<size_t>(last)].push_back(id);
  }
  return released;
}

}  // namespace

Network::Network(Weights weights)
    : weights_(std::move(weights)), readers_(graph().consumers()), last_used_(last_uses(graph(), readers_)) {
  if (AsLayers as = as_layers(graph()); as.layers)
    layers_ = std::make_shared<const Layers>(std::move(*as.layers));
  if (auto nodes = as_mixed_scale(graph()))
    mixed_scale_ = std::make_shared<const MixedScaleNodes>(std::move(*nodes));
}

void Network::require_input(const at::Tensor& x) const {
  const auto channels = std::get<Input>(graph().node(0).operation).channels;
  const int64_t dimensions = graph().dimensions();
  const Axes multiples = graph().size_multiples();
  bool fits = x.dim() == dimensions + 2 && x.size(1) == channels;
  for (int64_t axis = 1; fits && axis <= dimensions; ++axis)
    fits = x.size(-axis) % multiples[static_cast<size_t>(3 - axis)] == 0;
  if (fits) return;
  const std::vector<int64_t> used(multiples.end() - dimensions, multiples.end());
  throw Error(fmt::format("{} takes [N, {}, {}] with sizes that are multiples of {}, not [{}]",
                          graph().architecture(), channels, dimensions == 3 ? "D, H, W" : "H, W",
                          fmt::join(used, ", "), fmt::join(x.sizes(), ", ")));
}

at::Tensor Network::forward(const at::Tensor& x, Mode mode) {
  require_input(x);
  std::vector<at::Tensor> values(graph().nodes().size());
  NodeId done_to = 0;
  if (layers_ && suits_our_kernels(x)) {
    done_to = layers_->body.output();
    values[static_cast<size_t>(done_to)] =
        run_layers(layers_, {weights_.state(), weights_.first_of_node()}, x, mode, shared_);
  } else if (mixed_scale_ && suits_our_kernels(x)) {
    done_to = mixed_scale_->output;
    values[static_cast<size_t>(done_to)] = run_mixed_scale(mixed_scale_, weights_, x);
  } else {
    values[0] = compute_type_ ? x.to(*compute_type_) : x;
  }
  for (NodeId id = done_to + 1; id <= graph().output(); ++id) {
    const Node& node = graph().node(id);
    std::vector<at::Tensor> inputs;
    for (const NodeId from : node.inputs) inputs.push_back(values[static_cast<size_t>(from)]);
    values[static_cast<size_t>(id)] =
        run_operation(node.operation, {inputs, weights_.of(id), mode, shared_, overwrites(node)});
    for (const NodeId done : last_used_[static_cast<size_t>(id)]) values[static_cast<size_t>(done)].reset();
  }
  return values.back().to(x.scalar_type());
}

bool Network::suits_our_kernels(const at::Tensor& x) const {
  const auto fits = [](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat;
  };
  return !compute_type_ && fits(x) && fits(weights_.state().front().second);
}

// The output of a convolution that nothing else reads takes the activation in place: no gradient needs what
// it was before, and at 512x512 that is a third of what training keeps.
bool Network::overwrites(const Node& node) const {
  const NodeId from = node.inputs[0];
  return std::holds_alternative<LeakyRelu>(node.operation) &&
         std::holds_alternative<Convolution>(graph().node(from).operation) &&
         readers_[static_cast<size_t>(from)].size() == 1;
}

void take_statistics(Network& network, const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  struct Running {
    at::Tensor mean, variance;
    double momentum;
    at::Tensor first_moment, second_moment;  // over the inputs, in double: their difference may be small
  };
  std::vector<Running> norms;
  for (const Node& node : network.graph().nodes()) {
    const auto* norm = std::get_if<BatchNorm>(&node.operation);
    if (norm == nullptr || !(norm->momentum > 0)) continue;
    const at::Tensor mean = network.weights().weight(node.name + ".running_mean");
    norms.push_back({mean, network.weights().weight(node.name + ".running_var"), norm->momentum,
                     at::zeros_like(mean, at::kDouble), at::zeros_like(mean, at::kDouble)});
  }
  if (norms.empty()) return;
  double pixels = 0;
  for (const at::Tensor& input : inputs) pixels += static_cast<double>(input.numel());
  for (const at::Tensor& input : inputs) {
    for (const Running& norm : norms) {
      norm.mean.zero_();
      norm.variance.zero_();
    }
    network.forward(input, Mode::Training);  // adds momentum times those of the input
    const double share = static_cast<double>(input.numel()) / pixels;
    for (const Running& norm : norms) {
      const at::Tensor mean = norm.mean.to(at::kDouble) / norm.momentum,
                       variance = norm.variance.to(at::kDouble) / norm.momentum;
      norm.first_moment.add_(mean, share);
      norm.second_moment.add_(variance + mean.square(), share);
    }
  }
  for (const Running& norm : norms) {
    norm.mean.copy_(norm.first_moment);
    norm.variance.copy_(norm.second_moment - norm.first_moment.square());
  }
}

}  // namespace lucivox
