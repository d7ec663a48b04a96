#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/overload.h>
#include <lucivox/nn/graph.h>

namespace lucivox {
namespace {

// Keeps a hostile model file from asking for the moon.
constexpr double kMaxReduction = 1 << 12;

void require(bool sound, const Node& node, const std::string& what) {
  if (!sound)
    throw Error(fmt::format("network node '{}': {}", node.name, what),
                "the model file is damaged or made by hand");
}

int64_t count(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Names of nodes that need none of their own.
const char* kind_of(const Operation& operation) {
  return std::visit(Overload{
                        [](const Input&) { return "input"; },
                        [](const Convolution&) { return "convolution"; },
                        [](const BatchNorm&) { return "batch_norm"; },
                        [](const LeakyRelu&) { return "leaky_relu"; },
                        [](const Elu&) { return "elu"; },
                        [](const Swish&) { return "swish"; },
                        [](const Sigmoid&) { return "sigmoid"; },
                        [](const Softmax&) { return "softmax"; },
                        [](const MaxPool&) { return "max_pool"; },
                        [](const AveragePool&) { return "average_pool"; },
                        [](const Upsample&) { return "upsample"; },
                        [](const Concat&) { return "concat"; },
                        [](const Add&) { return "add"; },
                        [](const Dense&) { return "dense"; },
                    },
                    operation);
}

}  // namespace

Graph::Scale Graph::scale_of(const Node& node, const Facts& facts) const {
  if (node.inputs.empty()) return {};
  Scale scale = scales_[static_cast<size_t>(node.inputs[0])];
  for (const NodeId id : node.inputs) {
    const Scale& other = scales_[static_cast<size_t>(id)];
    require(other.reduction == scale.reduction && other.image == scale.image, node,
            "joins images of different sizes");
  }
  require(scale.image || facts.takes_no_image, node, "reads a dense layer, which gives no image");
  if (std::holds_alternative<Dense>(node.operation)) scale.image = false;
  for (size_t axis = 0; axis < 3; ++axis) {
    double& reduction = scale.reduction[axis];
    reduction *= facts.reduction[axis];
    require(reduction <= kMaxReduction && reduction >= 1 / kMaxReduction, node,
            "pools or upsamples too much");
  }
  return scale;
}

NodeId Graph::add(Node node) {
  Reading reading{node.name, {}, dimensions_};
  for (const NodeId id : node.inputs) {
    require(id >= 0 && id < static_cast<NodeId>(nodes_.size()), node,
            "reads a node that does not come before it");
    reading.channels.push_back(channels(id));
  }
  require(nodes_.empty() == std::holds_alternative<Input>(node.operation), node,
          "the input must be the first node, and only it");
  const bool taken =
      std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& other) { return other.name == node.name; });
  require(!taken && !node.name.empty(), node, "its name is empty or taken");
  const int64_t channels_out = output_channels(node.operation, reading);
  scales_.push_back(scale_of(node, facts_of(node.operation, dimensions_)));
  channels_.push_back(channels_out);
  nodes_.push_back(std::move(node));
  return output();
}

NodeId Graph::add(const Operation& operation, std::vector<NodeId> inputs) {
  return add({fmt::format("{}_{}", kind_of(operation), nodes_.size()), operation, std::move(inputs)});
}

NodeId Graph::input(int64_t channels) {
  return add(Input{channels}, {});
}
NodeId Graph::convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel, int64_t stride,
                          int64_t dilation) {
  Convolution op;
  op.in = channels(x);
  op.out = out;
  op.kernel = along_all(kernel);
  op.stride = along_all(stride);
  op.dilation = along_all(dilation);
  return add({name, op, {x}});
}
NodeId Graph::transposed_convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel) {
  Convolution op;
  op.in = channels(x);
  op.out = out;
  op.kernel = along_all(kernel);
  op.transposed = true;
  return add({name, op, {x}});
}
NodeId Graph::batch_norm(NodeId x, const std::string& name, NormStatistics statistics) {
  return add({name, BatchNorm{.channels = channels(x), .statistics = statistics}, {x}});
}
NodeId Graph::leaky_relu(NodeId x, double slope) {
  return add(LeakyRelu{slope}, {x});
}
NodeId Graph::max_pool(NodeId x, const Pooling& pool) {
  return add(MaxPool{along_all(pool.kernel), along_all(pool.stride), along_all(pool.padding, 0)}, {x});
}
NodeId Graph::upsample(NodeId x, int64_t factor, bool align_corners) {
  return add(
      Upsample{along_all(factor), Interpolation::Linear, align_corners ? Grids::Corners : Grids::Edges}, {x});
}
NodeId Graph::concat(const std::vector<NodeId>& inputs) {
  return add(Concat{}, inputs);
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
    for (OwnWeight& own : facts_of(node(id).operation, dimensions_).weights)
      specs.push_back({node(id).name + "." + own.name, std::move(own.shape), id, own.trained});
  }
  return specs;
}

int64_t Graph::parameter_count() const {
  int64_t parameters = 0;
  for (const auto& spec : weights()) {
    if (spec.trained) parameters += count(spec.shape);
  }
  return parameters;
}

double Graph::weight_count() const {
  double all = 0;
  for (const auto& spec : weights())
    all += std::accumulate(spec.shape.begin(), spec.shape.end(), 1.0, std::multiplies<>());
  return all;
}

int64_t Graph::layer_count() const {
  return std::count_if(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return std::holds_alternative<Convolution>(node.operation) ||
           std::holds_alternative<Dense>(node.operation);
  });
}

Axes Graph::size_multiples() const {
  Axes multiples = kOnes;
  for (size_t axis = 0; axis < 3; ++axis) {
    const bool comes_up = std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
      const auto* up = std::get_if<Upsample>(&node.operation);
      return up != nullptr && up->factor[axis] > 1;
    });
    if (!comes_up) continue;
    for (const Scale& scale : scales_)
      multiples[axis] = std::max(multiples[axis], static_cast<int64_t>(scale.reduction[axis]));
  }
  return multiples;
}

int64_t Graph::size_multiple() const {
  const Axes multiples = size_multiples();
  return *std::max_element(multiples.begin(), multiples.end());
}

double Graph::flops(int64_t height, int64_t width, int64_t depth) const {
  double total = 0;
  for (NodeId id = 0; id <= output(); ++id) {
    const Scale& scale = scales_[static_cast<size_t>(id)];
    const auto& [z, y, x] = scale.reduction;
    const double pixels =
        static_cast<double>(depth) / z * static_cast<double>(height) / y * static_cast<double>(width) / x;
    total += facts_of(node(id).operation, dimensions_).flops * (scale.image ? pixels : 1);
  }
  return total;
}

Axes Graph::receptive_radii() const {
  std::vector<std::array<double, 3>> radii(nodes_.size());  // in pixels of the input
  for (NodeId id = 1; id <= output(); ++id) {
    const Scale& read = scales_[static_cast<size_t>(node(id).inputs[0])];
    const Facts facts = facts_of(node(id).operation, dimensions_);
    for (size_t axis = 0; axis < 3; ++axis) {
      double widest = 0;
      for (const NodeId from : node(id).inputs)
        widest = std::max(widest, radii[static_cast<size_t>(from)][axis]);
      radii[static_cast<size_t>(id)][axis] = widest + facts.reach[axis] * read.reduction[axis];
    }
  }
  const auto& [z, y, x] = radii.back();
  return {static_cast<int64_t>(z), static_cast<int64_t>(y), static_cast<int64_t>(x)};
}

int64_t Graph::receptive_radius() const {
  const Axes radii = receptive_radii();
  return *std::max_element(radii.begin(), radii.end());
}

bool Graph::uses_batch_statistics() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    const auto* norm = std::get_if<BatchNorm>(&node.operation);
    return norm != nullptr && norm->statistics == NormStatistics::Batch;
  });
}

}  // namespace lucivox
