#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/nn/operations.h>

namespace lucivox {

// A network is data: a list of typed nodes in the order they are computed, each reading the outputs of
// earlier ones. Running under autograd, inference, pruning, cost estimates and files all work from it.

using NodeId = int64_t;

struct Node {
  std::string name;  // weights are called name.weight, name.bias, ...; unique
  Operation operation;
  std::vector<NodeId> inputs;

  bool operator==(const Node&) const = default;
};

// A weight or a statistic that a node owns.
struct WeightSpec {
  std::string name;            // "dnet1.conv1_0.weight"
  std::vector<int64_t> shape;  // empty: a scalar
  NodeId node;
  bool trained;  // false: a statistic such as running_mean
};

// What weights begin with before they are trained.
enum class Initialisation {
  Glorot,       // every layer keeps the scale of what it reads (Glorot and Bengio, 2010, eq. 16)
  SmallNormal,  // N(0, 0.01), as the public DDNet reference has it: batch norms set the scale
  // as the public Mixed-Scale Dense codes have it: N(0, 2 / all that a map gives to and takes from), the same
  // for all layers, and an output of 0
  MixedScale,
};

// Pooling alike along all axes.
struct Pooling {
  int64_t kernel = 3, stride = 2, padding = 1;
};

class Graph {
 public:
  // `dimensions` of the images, 2 or 3.
  explicit Graph(std::string architecture = "custom", Initialisation initialisation = Initialisation::Glorot,
                 int64_t dimensions = 2)
      : architecture_(std::move(architecture)), initialisation_(initialisation), dimensions_(dimensions) {}

  // Each adds a node and returns its id. Operations with weights need a name; others are numbered. Kernels,
  // strides, dilations and factors are alike along all axes; add() takes others.
  NodeId input(int64_t channels);
  NodeId convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel, int64_t stride = 1,
                     int64_t dilation = 1);
  NodeId transposed_convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel);
  NodeId batch_norm(NodeId x, const std::string& name, NormStatistics statistics = NormStatistics::Running);
  NodeId leaky_relu(NodeId x, double slope = 0.01);
  NodeId relu(NodeId x) { return leaky_relu(x, 0); }
  NodeId max_pool(NodeId x, const Pooling& pool);
  NodeId upsample(NodeId x, int64_t factor, bool align_corners = true);
  NodeId concat(const std::vector<NodeId>& inputs);
  // `side`: of x.
  NodeId dense(NodeId x, const std::string& name, int64_t side, int64_t out);
  // An operation without weights, numbered.
  NodeId add(const Operation& operation, std::vector<NodeId> inputs);
  // Adds any node; throws Error when its inputs do not exist or do not fit.
  NodeId add(Node node);

  const std::string& architecture() const { return architecture_; }
  Initialisation initialisation() const { return initialisation_; }
  int64_t dimensions() const { return dimensions_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  NodeId output() const { return static_cast<NodeId>(nodes_.size()) - 1; }
  int64_t channels(NodeId id) const { return channels_[static_cast<size_t>(id)]; }
  // The nodes that read each node's output.
  std::vector<std::vector<NodeId>> consumers() const;

  // In the order of the nodes; PyTorch's names and shapes.
  std::vector<WeightSpec> weights() const;
  // Of the trained weights.
  int64_t parameter_count() const;
  // Of all weights and statistics; in floating point, so that no graph from a file can overflow it.
  double weight_count() const;
  // Convolutions, transposed ones included, and dense layers.
  int64_t layer_count() const;
  // The input's size must be a multiple of this along z, y and x, so that what goes down comes up again.
  Axes size_multiples() const;
  // Of these the largest.
  int64_t size_multiple() const;
  // Multiplications and additions of these layers for one [1, C, (depth,) height, width] input, forward.
  double flops(int64_t height, int64_t width, int64_t depth = 1) const;
  // Pixels around an output pixel that it depends on, along z, y and x: the radius of the receptive field.
  Axes receptive_radii() const;
  // Of these the largest.
  int64_t receptive_radius() const;
  // Whether a batch norm normalises by the statistics of the images at hand: the output for a part of an
  // image then depends on all of it.
  bool uses_batch_statistics() const;

  // How weights begin does not matter.
  bool operator==(const Graph& other) const {
    return architecture_ == other.architecture_ && dimensions_ == other.dimensions_ && nodes_ == other.nodes_;
  }

 private:
  // How many times smaller than the input's each output's sides are.
  struct Scale {
    std::array<double, 3> reduction{1, 1, 1};
    bool image = true;  // false: behind a dense layer
  };
  Scale scale_of(const Node& node, const Facts& facts) const;

  // Alike along all axes that there are.
  Axes along_all(int64_t value, int64_t otherwise = 1) const {
    return {dimensions_ == 3 ? value : otherwise, value, value};
  }

  std::string architecture_;
  Initialisation initialisation_;
  int64_t dimensions_;
  std::vector<Node> nodes_;
  std::vector<int64_t> channels_;
  std::vector<Scale> scales_;
};

std::string to_string(NormStatistics statistics);
// "running" or "batch"; throws Error (misuse) for others.
NormStatistics norm_statistics(const std::string& name);

Json to_json(const Graph& graph);
// Throws Error when the description is not a sound network: the file may come from anywhere.
Graph graph_from_json(const Json& json);

}  // namespace lucivox
