#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <lucivox/nn/graph.h>

namespace lucivox {

// A graph seen as layers, each a batch norm, a convolution and a leaky ReLU in one, with all outputs that are
// joined lying beside each other in one buffer from the beginning: nothing is ever copied to be concatenated,
// and the layers of a dense block write into one buffer. This is how networks run on CPUs. What dense
// layers make of the last image lies behind that body.

// Where a node's output lies: channels [first, first + channels) of a buffer.
struct Place {
  int64_t buffer = -1, first = 0, channels = 0;
  bool given() const { return buffer >= 0; }
};

struct Layer {
  NodeId input;
  std::optional<NodeId> norm;
  NodeId convolution;
  std::optional<NodeId> activation;

  NodeId output() const { return activation.value_or(convolution); }
};

// A pooling or an upsampling.
struct Resampling {
  NodeId input, output;
};

using Step = std::variant<Layer, Resampling>;

struct Layers {
  Graph body;  // the graph's first nodes: all of them, or those before its first dense layer
  std::vector<WeightSpec> weights;  // of the body
  std::vector<Step> steps;          // in the order in which they are computed
  std::vector<Place> places;        // of each node; those inside a layer have none
  std::vector<int64_t> buffer_channels;
};

struct AsLayers {
  std::optional<Layers> layers;
  std::string obstacle;  // why there are none: "node 'c' is joined more than once, or normalised"
};

// A graph's body is not of that kind when it has three dimensions, operations that our kernels do not have, a
// batch norm or an activation that stands alone, an output that is joined twice or read by nothing, an
// activation whose sign does not tell that of its input; or when dense layers read more of it than its last
// image.
AsLayers as_layers(const Graph& graph);

}  // namespace lucivox
