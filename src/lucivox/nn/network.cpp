#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/nn/layers_run.h>
#include <lucivox/nn/network.h>

namespace lucivox {
namespace {

// The public reference's: small enough that batch norm, not the start, sets the scale of every layer.
constexpr double kInitialSigma = 0.01;

bool normalises(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [](const Node& node) { return std::holds_alternative<BatchNorm>(node.operation); });
}

// The bound of Glorot and Bengio's uniform distribution for [out, in, ...] or [in, out, ...].
double glorot_bound(const std::vector<int64_t>& shape) {
  const int64_t taps = std::accumulate(shape.begin() + 2, shape.end(), int64_t{1}, std::multiplies<>());
  return std::sqrt(6.0 / static_cast<double>((shape[0] + shape[1]) * taps));
}

at::Tensor initial_value(const Graph& graph, const WeightSpec& spec, Random& random) {
  const bool of_norm = std::holds_alternative<BatchNorm>(graph.node(spec.node).operation);
  if (spec.shape.size() > 1) {
    const bool normalised = normalises(graph);
    const double bound = glorot_bound(spec.shape);
    at::Tensor value = at::empty(spec.shape);
    std::generate_n(value.data_ptr<float>(), value.numel(), [&] {
      return static_cast<float>(normalised ? random.normal(0, kInitialSigma) : random.uniform(-bound, bound));
    });
    return value;
  }
  const bool one = of_norm && (spec.name.ends_with(".weight") || spec.name.ends_with(".running_var"));
  return one ? at::ones(spec.shape) : at::zeros(spec.shape);
}

// A transposed convolution of stride 1 is the convolution with the flipped kernel, its channels exchanged.
at::Tensor as_convolution(const at::Tensor& weight) {
  return weight.transpose(0, 1).flip({2, 3});
}

// One channel is the same bytes in both layouts; unless its strides tell, a convolution takes the slow
// layout, which everything behind it then inherits.
at::Tensor channels_last(const at::Tensor& x) {
  return x.size(1) == 1 ? x.squeeze(1).unsqueeze(3).permute({0, 3, 1, 2})
                        : x.contiguous(at::MemoryFormat::ChannelsLast);
}

void require_side(const Graph& graph, const Dense& dense, const at::Tensor& x) {
  if (x.size(2) == dense.side && x.size(3) == dense.side) return;
  throw Error(fmt::format("a dense layer of {} reads {}x{} pixels, not {}x{}", graph.architecture(),
                          dense.side, dense.side, x.size(2), x.size(3)),
              "give it images of the size that it was made for");
}

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

Network::Network(Graph graph, uint64_t seed)
    : graph_(std::move(graph)),
      layers_(as_layers(graph_)),
      readers_(graph_.consumers()),
      last_used_(last_uses(graph_, readers_)) {
  Random random(seed);
  first_weight_.resize(graph_.nodes().size());
  for (const WeightSpec& spec : graph_.weights()) {
    const bool first = state_.empty() || spec.name.ends_with(".weight");
    if (first) first_weight_[static_cast<size_t>(spec.node)] = state_.size();
    state_.emplace_back(spec.name, initial_value(graph_, spec, random).requires_grad_(spec.trained));
  }
}

at::Tensor Network::forward(const at::Tensor& x, Mode mode) {
  const int64_t multiple = graph_.size_multiple();
  const auto channels = std::get<Input>(graph_.node(0).operation).channels;
  if (x.dim() != 4 || x.size(1) != channels || x.size(2) % multiple != 0 || x.size(3) % multiple != 0) {
    throw Error(fmt::format("{} takes [N, {}, H, W] with H and W multiples of {}, not [{}]",
                            graph_.architecture(), channels, multiple, fmt::join(x.sizes(), ", ")));
  }
  std::vector<at::Tensor> values(graph_.nodes().size());
  NodeId done_to = 0;
  if (layers_ && runs_by_layers(x)) {
    done_to = layers_->body.output();
    values[static_cast<size_t>(done_to)] = run_layers(*layers_, {state_, first_weight_}, x, mode, shared_);
  } else {
    values[0] = compute_type_ ? x.to(*compute_type_) : x;
  }
  for (NodeId id = done_to + 1; id <= graph_.output(); ++id) {
    const Node& node = graph_.node(id);
    std::vector<at::Tensor> inputs;
    for (const NodeId from : node.inputs) inputs.push_back(values[static_cast<size_t>(from)]);
    values[static_cast<size_t>(id)] = run(node, inputs, first_weight_[static_cast<size_t>(id)], mode);
    for (const NodeId done : last_used_[static_cast<size_t>(id)]) values[static_cast<size_t>(done)].reset();
  }
  return values.back().to(x.scalar_type());
}

at::Tensor Network::run(const Node& node, const std::vector<at::Tensor>& inputs, size_t first_weight,
                        Mode mode) const {
  const auto weight_at = [&](size_t i) -> const at::Tensor& { return state_[first_weight + i].second; };
  if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
    const auto type = inputs[0].scalar_type();
    const at::Tensor weight = weight_at(0).to(type),
                     kernel = conv->transposed ? as_convolution(weight) : weight;
    return at::conv2d(channels_last(inputs[0]), kernel, weight_at(1).to(type), conv->stride,
                      kernel.size(2) / 2);
  }
  if (const auto* dense = std::get_if<Dense>(&node.operation)) {
    require_side(graph_, *dense, inputs[0]);
    const auto type = inputs[0].scalar_type();
    return at::linear(inputs[0].flatten(1), weight_at(0).to(type), weight_at(1).to(type))
        .unsqueeze(2)
        .unsqueeze(3);
  }
  if (const auto* norm = std::get_if<BatchNorm>(&node.operation)) {
    if (mode == Mode::Training && shared_.ranks > 1)
      return shared_batch_norm(inputs[0], weight_at(0), weight_at(1), weight_at(2), weight_at(3),
                               norm->momentum, norm->eps, shared_);
    if (mode == Mode::Evaluation && norm->statistics == NormStatistics::Batch)
      return at::batch_norm(inputs[0], weight_at(0), weight_at(1), {}, {}, true, 0, norm->eps, false);
    return at::batch_norm(inputs[0], weight_at(0), weight_at(1), weight_at(2), weight_at(3),
                          mode == Mode::Training, norm->momentum, norm->eps, false);
  }
  if (const auto* relu = std::get_if<LeakyRelu>(&node.operation)) {
    at::Tensor x = inputs[0];
    return overwrites(node) ? at::leaky_relu_(x, relu->slope) : at::leaky_relu(x, relu->slope);
  }
  if (const auto* pool = std::get_if<MaxPool>(&node.operation)) {
    return at::max_pool2d(inputs[0], pool->kernel, pool->stride, pool->padding);
  }
  if (const auto* up = std::get_if<Upsample>(&node.operation)) {
    return at::upsample_bilinear2d(
        inputs[0], {inputs[0].size(2) * up->factor, inputs[0].size(3) * up->factor}, up->align_corners);
  }
  return at::cat(inputs, 1);
}

bool Network::runs_by_layers(const at::Tensor& x) const {
  const auto fits = [](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat;
  };
  return !compute_type_ && fits(x) && fits(state_.front().second);
}

// The output of a convolution that nothing else reads takes the activation in place: no gradient needs what
// it was before, and at 512x512 that is a third of what training keeps.
bool Network::overwrites(const Node& activation) const {
  const NodeId from = activation.inputs[0];
  return std::holds_alternative<Convolution>(graph_.node(from).operation) &&
         readers_[static_cast<size_t>(from)].size() == 1;
}

NamedTensors Network::parameters() const {
  NamedTensors trained;
  std::copy_if(state_.begin(), state_.end(), std::back_inserter(trained),
               [](const auto& entry) { return entry.second.requires_grad(); });
  return trained;
}

const at::Tensor& Network::weight(const std::string& name) const {
  const auto found =
      std::find_if(state_.begin(), state_.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == state_.end()) throw Error(fmt::format("{} has no weight '{}'", graph_.architecture(), name));
  return found->second;
}

void Network::load_state(const NamedTensors& state) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, value] : state) {
    const at::Tensor& mine = weight(name);
    if (mine.sizes() != value.sizes()) {
      throw Error(
          fmt::format("weight '{}' has shape [{}], {} needs [{}]", name, fmt::join(value.sizes(), ", "),
                      graph_.architecture(), fmt::join(mine.sizes(), ", ")),
          "these weights belong to another network");
    }
    if (!at::isfinite(value).all().item<bool>()) {
      throw Error(fmt::format("weight '{}' holds NaN or infinite values", name),
                  "the training diverged or the file is damaged");
    }
  }
  for (const auto& [name, mine] : state_) {
    const auto found =
        std::find_if(state.begin(), state.end(), [&n = name](const auto& entry) { return entry.first == n; });
    if (found == state.end()) {
      throw Error(fmt::format("weight '{}' of {} is missing", name, graph_.architecture()),
                  "these weights belong to another network");
    }
    mine.copy_(found->second);
  }
}

Network Network::as_constants() const {
  Network constants = *this;
  for (auto& [name, value] : constants.state_) value = value.detach();
  return constants;
}

void Network::to(const at::TensorOptions& options) {
  const at::NoGradGuard no_grad;
  for (auto& [name, value] : state_) value = value.to(options).detach().requires_grad_(value.requires_grad());
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
    const at::Tensor mean = network.weight(node.name + ".running_mean");
    norms.push_back({mean, network.weight(node.name + ".running_var"), norm->momentum,
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
