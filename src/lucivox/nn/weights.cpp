#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/nn/weights.h>

namespace lucivox {
namespace {

// The public reference's: small enough that batch norm, not the start, sets the scale of every layer.
constexpr double kSmallSigma = 0.01;

NodeId last_convolution(const Graph& graph) {
  NodeId id = graph.output();
  while (!std::holds_alternative<Convolution>(graph.node(id).operation)) --id;
  return id;
}

// The bound of Glorot and Bengio's uniform distribution for [out, in, ...] or [in, out, ...].
double glorot_bound(const std::vector<int64_t>& shape) {
  const int64_t taps = std::accumulate(shape.begin() + 2, shape.end(), int64_t{1}, std::multiplies<>());
  return std::sqrt(6.0 / static_cast<double>((shape[0] + shape[1]) * taps));
}

// The standard deviation of a Mixed-Scale Dense network's weights (msdnet's network.py, msd_pytorch's
// init_convolution_weights()): a map takes from all before it, gives to all behind it and to the outputs.
double mixed_scale_sigma(const Graph& graph, NodeId node) {
  if (node == last_convolution(graph)) return 0;
  const auto& output = std::get<Convolution>(graph.node(last_convolution(graph)).operation);
  const auto& layer = std::get<Convolution>(graph.node(node).operation);
  const int64_t taps = layer.kernel[0] * layer.kernel[1] * layer.kernel[2];
  return std::sqrt(2.0 / static_cast<double>(taps * (output.in - layer.out) + output.out));
}

double initial_number(const Graph& graph, const WeightSpec& spec, Random& random) {
  switch (graph.initialisation()) {
    case Initialisation::SmallNormal:
      return random.normal(0, kSmallSigma);
    case Initialisation::MixedScale:
      return random.normal(0, mixed_scale_sigma(graph, spec.node));
    case Initialisation::Glorot:
      break;
  }
  const double bound = glorot_bound(spec.shape);
  return random.uniform(-bound, bound);
}

at::Tensor initial_value(const Graph& graph, const WeightSpec& spec, Random& random) {
  if (spec.shape.size() > 1) {
    at::Tensor value = at::empty(spec.shape);
    std::generate_n(value.data_ptr<float>(), value.numel(),
                    [&] { return static_cast<float>(initial_number(graph, spec, random)); });
    return value;
  }
  const bool of_norm = std::holds_alternative<BatchNorm>(graph.node(spec.node).operation);
  const bool one = of_norm && (spec.name.ends_with(".weight") || spec.name.ends_with(".running_var"));
  return one ? at::ones(spec.shape) : at::zeros(spec.shape);
}

}  // namespace

Weights::Weights(Graph graph, uint64_t seed) : graph_(std::move(graph)) {
  Random random(seed);
  first_of_node_.resize(graph_.nodes().size());
  for (const WeightSpec& spec : graph_.weights()) {
    const bool first = state_.empty() || spec.name.ends_with(".weight");
    if (first) first_of_node_[static_cast<size_t>(spec.node)] = state_.size();
    state_.emplace_back(spec.name, initial_value(graph_, spec, random).requires_grad_(spec.trained));
  }
}

Weights Weights::constants() const {
  Weights constants = share();
  for (auto& [name, value] : constants.state_) value = value.detach();
  return constants;
}

std::vector<at::Tensor> Weights::of(NodeId node) const {
  const size_t count = facts_of(graph_.node(node).operation, graph_.dimensions()).weights.size();
  std::vector<at::Tensor> own;
  for (size_t i = 0; i < count; ++i)
    own.push_back(state_[first_of_node_[static_cast<size_t>(node)] + i].second);
  return own;
}

NamedTensors Weights::parameters() const {
  NamedTensors trained;
  std::copy_if(state_.begin(), state_.end(), std::back_inserter(trained),
               [](const auto& entry) { return entry.second.requires_grad(); });
  return trained;
}

const at::Tensor& Weights::weight(const std::string& name) const {
  const auto found =
      std::find_if(state_.begin(), state_.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == state_.end()) throw Error(fmt::format("{} has no weight '{}'", graph_.architecture(), name));
  return found->second;
}

void Weights::load_state(const NamedTensors& state) {
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

void Weights::to(const at::TensorOptions& options) {
  const at::NoGradGuard no_grad;
  for (auto& [name, value] : state_) value = value.to(options).detach().requires_grad_(value.requires_grad());
}

}  // namespace lucivox
