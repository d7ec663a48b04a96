#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/graph.h>

namespace lucivox {
namespace {

// Larger than any network here by far; keeps a hostile model file from asking for the moon.
constexpr int64_t kMaxChannels = 1 << 16;
constexpr int64_t kMaxKernel = 255, kMaxStride = 16, kMaxSide = 1 << 12;
constexpr double kMaxReduction = 1 << 12;

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

void require(bool sound, const Node& node, const std::string& what) {
  if (!sound)
    throw Error(fmt::format("network node '{}': {}", node.name, what),
                "the model file is damaged or made by hand");
}

void require_channels(const Node& node, int64_t expected, int64_t got) {
  require(expected == got, node, fmt::format("expects {} channels, its input has {}", expected, got));
}

// The channels of a node's output; throws when the node does not fit what it reads.
int64_t output_channels(const Node& node, const std::vector<int64_t>& inputs) {
  const bool is_input = std::holds_alternative<Input>(node.operation);
  const bool is_concat = std::holds_alternative<Concat>(node.operation);
  require(is_input    ? inputs.empty()
          : is_concat ? !inputs.empty()
                      : inputs.size() == 1,
          node, fmt::format("has {} inputs", inputs.size()));
  const int64_t channels = std::visit(
      Overload{
          [&](const Input& op) { return op.channels; },
          [&](const Convolution& op) {
            require_channels(node, op.in, inputs[0]);
            require(op.kernel > 0 && op.kernel <= kMaxKernel && op.kernel % 2 == 1, node,
                    "kernel must be odd");
            require(op.stride == 1 || (op.stride > 1 && op.stride <= kMaxStride && !op.transposed), node,
                    "stride out of range");
            return op.out;
          },
          [&](const BatchNorm& op) {
            require_channels(node, op.channels, inputs[0]);
            require(op.eps > 0 && op.momentum >= 0 && op.momentum <= 1, node, "eps or momentum out of range");
            return op.channels;
          },
          [&](const MaxPool& op) {
            require(op.kernel > 0 && op.kernel <= kMaxKernel && op.stride > 0 && op.stride <= kMaxStride &&
                        op.padding >= 0 && op.padding <= op.kernel / 2,
                    node, "pooling out of range");
            return inputs[0];
          },
          [&](const Upsample& op) {
            require(op.factor > 1 && op.factor <= 16, node, "factor out of range");
            return inputs[0];
          },
          [&](const Concat&) { return std::accumulate(inputs.begin(), inputs.end(), int64_t{0}); },
          [&](const Dense& op) {
            require_channels(node, op.channels, inputs[0]);
            require(op.side > 0 && op.side <= kMaxSide, node, "side out of range");
            return op.out;
          },
          [&](const LeakyRelu&) { return inputs[0]; },
      },
      node.operation);
  require(channels > 0 && channels <= kMaxChannels, node, fmt::format("{} channels", channels));
  return channels;
}

// How many times smaller than the input a node's output is, given those that it reads.
double output_reduction(const Node& node, const std::vector<double>& inputs) {
  if (inputs.empty()) return 1;
  const bool same = std::all_of(inputs.begin(), inputs.end(), [&](double r) { return r == inputs[0]; });
  require(same, node, "joins images of different sizes");
  double reduction = inputs[0];
  const bool dense = std::holds_alternative<Dense>(node.operation);
  if (dense || (reduction == 0 && std::holds_alternative<LeakyRelu>(node.operation))) return 0;
  if (const auto* conv = std::get_if<Convolution>(&node.operation))
    reduction *= static_cast<double>(conv->stride);
  if (const auto* pool = std::get_if<MaxPool>(&node.operation))
    reduction *= static_cast<double>(pool->stride);
  if (const auto* up = std::get_if<Upsample>(&node.operation)) reduction /= static_cast<double>(up->factor);
  require(reduction != 0, node, "reads a dense layer, which gives no image");
  require(reduction <= kMaxReduction && reduction >= 1 / kMaxReduction, node, "pools or upsamples too much");
  return reduction;
}

}  // namespace

NodeId Graph::add(Node node) {
  std::vector<int64_t> inputs;
  std::vector<double> reductions;
  for (const NodeId id : node.inputs) {
    require(id >= 0 && id < static_cast<NodeId>(nodes_.size()), node,
            "reads a node that does not come before it");
    inputs.push_back(channels(id));
    reductions.push_back(reductions_[static_cast<size_t>(id)]);
  }
  require(nodes_.empty() == std::holds_alternative<Input>(node.operation), node,
          "the input must be the first node, and only it");
  const bool taken =
      std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& other) { return other.name == node.name; });
  require(!taken && !node.name.empty(), node, "its name is empty or taken");
  const int64_t channels_out = output_channels(node, inputs);
  reductions_.push_back(output_reduction(node, reductions));
  channels_.push_back(channels_out);
  nodes_.push_back(std::move(node));
  return output();
}

NodeId Graph::add_numbered(const char* kind, const Operation& operation, std::vector<NodeId> inputs) {
  return add({fmt::format("{}_{}", kind, nodes_.size()), operation, std::move(inputs)});
}

NodeId Graph::input(int64_t channels) {
  return add_numbered("input", Input{channels}, {});
}
NodeId Graph::convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel, int64_t stride) {
  return add({name, Convolution{channels(x), out, kernel, false, stride}, {x}});
}
NodeId Graph::transposed_convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel) {
  return add({name, Convolution{channels(x), out, kernel, true}, {x}});
}
NodeId Graph::batch_norm(NodeId x, const std::string& name, NormStatistics statistics) {
  return add({name, BatchNorm{.channels = channels(x), .statistics = statistics}, {x}});
}
NodeId Graph::leaky_relu(NodeId x, double slope) {
  return add_numbered("leaky_relu", LeakyRelu{slope}, {x});
}
NodeId Graph::max_pool(NodeId x, const MaxPool& pool) {
  return add_numbered("max_pool", pool, {x});
}
NodeId Graph::upsample(NodeId x, int64_t factor, bool align_corners) {
  return add_numbered("upsample", Upsample{factor, align_corners}, {x});
}
NodeId Graph::concat(const std::vector<NodeId>& inputs) {
  return add_numbered("concat", Concat{}, inputs);
}
NodeId Graph::dense(NodeId x, const std::string& name, int64_t side, int64_t out) {
  return add({name, Dense{channels(x), side, out}, {x}});
}

std::vector<std::vector<NodeId>> Graph::consumers() const {
  std::vector<std::vector<NodeId>> readers(nodes_.size());
  for (NodeId id = 0; id <= output(); ++id) {
    for (const NodeId from : node(id).inputs) readers[static_cast<size_t>(from)].push_back(id);
  }
  return readers;
}

std::vector<WeightSpec> Graph::weights() const {
  std::vector<WeightSpec> specs;
  for (NodeId id = 0; id <= output(); ++id) {
    const Node& n = node(id);
    if (const auto* conv = std::get_if<Convolution>(&n.operation)) {
      const int64_t k = conv->kernel;
      const int64_t first = conv->transposed ? conv->in : conv->out;
      const int64_t second = conv->transposed ? conv->out : conv->in;
      specs.push_back({n.name + ".weight", {first, second, k, k}, id, true});
      specs.push_back({n.name + ".bias", {conv->out}, id, true});
    } else if (const auto* dense = std::get_if<Dense>(&n.operation)) {
      specs.push_back(
          {n.name + ".weight", {dense->out, dense->channels * dense->side * dense->side}, id, true});
      specs.push_back({n.name + ".bias", {dense->out}, id, true});
    } else if (const auto* norm = std::get_if<BatchNorm>(&n.operation)) {
      specs.push_back({n.name + ".weight", {norm->channels}, id, true});
      specs.push_back({n.name + ".bias", {norm->channels}, id, true});
      specs.push_back({n.name + ".running_mean", {norm->channels}, id, false});
      specs.push_back({n.name + ".running_var", {norm->channels}, id, false});
    }
  }
  return specs;
}

int64_t Graph::parameter_count() const {
  int64_t count = 0;
  for (const auto& spec : weights()) {
    if (spec.trained)
      count += std::accumulate(spec.shape.begin(), spec.shape.end(), int64_t{1}, std::multiplies<>());
  }
  return count;
}

double Graph::weight_count() const {
  double count = 0;
  for (const auto& spec : weights())
    count += std::accumulate(spec.shape.begin(), spec.shape.end(), 1.0, std::multiplies<>());
  return count;
}

int64_t Graph::layer_count() const {
  return std::count_if(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return std::holds_alternative<Convolution>(node.operation) ||
           std::holds_alternative<Dense>(node.operation);
  });
}

int64_t Graph::size_multiple() const {
  const bool comes_up = std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return std::holds_alternative<Upsample>(node.operation);
  });
  if (!comes_up) return 1;
  return static_cast<int64_t>(*std::max_element(reductions_.begin(), reductions_.end()));
}

double Graph::flops(int64_t height, int64_t width) const {
  double total = 0;
  for (NodeId id = 0; id <= output(); ++id) {
    if (const auto* dense = std::get_if<Dense>(&node(id).operation))
      total += 2 * static_cast<double>(dense->channels * dense->side * dense->side * dense->out);
    const auto* conv = std::get_if<Convolution>(&node(id).operation);
    if (conv == nullptr) continue;
    const double r = reductions_[static_cast<size_t>(id)];
    const double pixels = static_cast<double>(height) / r * static_cast<double>(width) / r;
    total += 2 * pixels * static_cast<double>(conv->in * conv->out * conv->kernel * conv->kernel);
  }
  return total;
}

int64_t Graph::receptive_radius() const {
  std::vector<double> radius(nodes_.size(), 0);  // in pixels of the input
  for (NodeId id = 1; id <= output(); ++id) {
    double widest = 0;
    for (const NodeId from : node(id).inputs) widest = std::max(widest, radius[static_cast<size_t>(from)]);
    const double step = reductions_[static_cast<size_t>(node(id).inputs[0])];
    const double reach =
        std::visit(Overload{
                       [](const Convolution& op) { return static_cast<double>(op.kernel - 1) / 2; },  // odd
                       [](const MaxPool& op) { return static_cast<double>(op.kernel - 1 - op.padding); },
                       [](const Upsample&) { return 1.0; },
                       [](const auto&) { return 0.0; },
                   },
                   node(id).operation);
    radius[static_cast<size_t>(id)] = widest + reach * step;
  }
  return static_cast<int64_t>(radius.back());
}

bool Graph::uses_batch_statistics() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    const auto* norm = std::get_if<BatchNorm>(&node.operation);
    return norm != nullptr && norm->statistics == NormStatistics::Batch;
  });
}

}  // namespace lucivox
