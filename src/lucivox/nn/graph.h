#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <lucivox/base/config.h>

namespace lucivox {

// A network is data: a list of typed nodes in the order they are computed, each reading the outputs of
// earlier ones. Running under autograd, inference, pruning, cost estimates and files all work from it.

struct Input {
  int64_t channels = 1;
};

// Convolution with zeros, kernel / 2 of them, around the image: at stride 1 it keeps the size, else of every
// `stride` rows and columns the first remains. Weight [out, in, kernel, kernel], bias [out].
// `transposed` keeps the weight as a transposed convolution stores it, [in, out, kernel, kernel]; at
// stride 1, the only one it has, that is an ordinary convolution with the kernel flipped, and it is computed
// as one.
struct Convolution {
  int64_t in = 1, out = 1, kernel = 1;
  bool transposed = false;
  int64_t stride = 1;

  // Along which dimension of the weight its filters (output channels) and its input channels lie.
  int64_t filter_dimension() const { return transposed ? 1 : 0; }
  int64_t channel_dimension() const { return transposed ? 0 : 1; }
};

// By which mean and variance a batch norm normalises in evaluation: those that followed the training, or
// those of the images at hand, as the public DDNet code does.
enum class NormStatistics { Running, Batch };

// Ioffe and Szegedy, 2015. In training by the batch's own mean and variance.
struct BatchNorm {
  int64_t channels = 1;
  double eps = 1e-5, momentum = 0.1;
  NormStatistics statistics = NormStatistics::Running;
};

struct LeakyRelu {
  double slope = 0.01;
};

struct MaxPool {
  int64_t kernel = 3, stride = 2, padding = 1;
};

// Bilinear. `align_corners`: the outermost pixels of both images lie on each other (PyTorch's term), else
// their outer edges do.
struct Upsample {
  int64_t factor = 2;
  bool align_corners = true;
};

// Joins the channels of its inputs, in their order.
struct Concat {};

// Every output reads all pixels of all channels of a square image: [N, channels, side, side] -> [N, out, 1,
// 1]; weight [out, channels * side * side], bias [out], as PyTorch's Linear behind Flatten. Its output is no
// image: only activations and other dense layers read it.
struct Dense {
  int64_t channels = 1, side = 1, out = 1;
};

using Operation = std::variant<Input, Convolution, BatchNorm, LeakyRelu, MaxPool, Upsample, Concat, Dense>;

using NodeId = int64_t;

struct Node {
  std::string name;  // weights are called name.weight, name.bias, ...; unique
  Operation operation;
  std::vector<NodeId> inputs;
};

// A weight or a statistic that a node owns.
struct WeightSpec {
  std::string name;            // "dnet1.conv1_0.weight"
  std::vector<int64_t> shape;  // empty: a scalar
  NodeId node;
  bool trained;  // false: a statistic such as running_mean
};

class Graph {
 public:
  explicit Graph(std::string architecture = "custom") : architecture_(std::move(architecture)) {}

  // Each adds a node and returns its id. Operations with weights need a name; others are numbered.
  NodeId input(int64_t channels);
  NodeId convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel, int64_t stride = 1);
  NodeId transposed_convolution(NodeId x, const std::string& name, int64_t out, int64_t kernel);
  NodeId batch_norm(NodeId x, const std::string& name, NormStatistics statistics = NormStatistics::Running);
  NodeId leaky_relu(NodeId x, double slope = 0.01);
  NodeId relu(NodeId x) { return leaky_relu(x, 0); }
  NodeId max_pool(NodeId x, const MaxPool& pool);
  NodeId upsample(NodeId x, int64_t factor, bool align_corners = true);
  NodeId concat(const std::vector<NodeId>& inputs);
  // `side`: of x.
  NodeId dense(NodeId x, const std::string& name, int64_t side, int64_t out);
  // Adds any node; throws Error when its inputs do not exist or do not fit.
  NodeId add(Node node);

  const std::string& architecture() const { return architecture_; }
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
  // Height and width of the input must be a multiple of this, so that what goes down comes up again.
  int64_t size_multiple() const;
  // Multiplications and additions of these layers for one [1, C, height, width] input, forward.
  double flops(int64_t height, int64_t width) const;
  // Pixels around an output pixel that it depends on: the radius of the receptive field.
  int64_t receptive_radius() const;
  // Whether a batch norm normalises by the statistics of the images at hand: the output for a part of an
  // image then depends on all of it.
  bool uses_batch_statistics() const;

 private:
  NodeId add_numbered(const char* kind, const Operation& operation, std::vector<NodeId> inputs);

  std::string architecture_;
  std::vector<Node> nodes_;
  std::vector<int64_t> channels_;
  // How many times smaller than the input's each output's sides are; 0: it is no image.
  std::vector<double> reductions_;
};

std::string to_string(NormStatistics statistics);
// "running" or "batch"; throws Error (misuse) for others.
NormStatistics norm_statistics(const std::string& name);

Json to_json(const Graph& graph);
// Throws Error when the description is not a sound network: the file may come from anywhere.
Graph graph_from_json(const Json& json);

}  // namespace lucivox
