#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/nn/graph.h>

namespace lucivox {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// A graph with its weights and statistics. Moved, not copied: what shares tensors with another says so.
class Weights {
 public:
  // Drawn as the graph says (Initialisation); biases are 0, batch norms 1 and 0. The same seed gives the same
  // weights everywhere.
  Weights(Graph graph, uint64_t seed);
  Weights(Weights&&) = default;
  Weights& operator=(Weights&&) = default;

  // The same tensors once more: changes in place, such as training and load_state(), are seen by both, to()
  // is not.
  Weights share() const { return *this; }
  // Likewise, but as constants, which get no gradients.
  Weights constants() const;

  const Graph& graph() const { return graph_; }
  // Weights and statistics in the order of graph().weights().
  const NamedTensors& state() const { return state_; }
  // Those that are trained.
  NamedTensors parameters() const;
  // By name; throws Error when there is none.
  const at::Tensor& weight(const std::string& name) const;
  // Those of a node, in the order of Facts::weights.
  std::vector<at::Tensor> of(NodeId node) const;
  // The first one of each node that has any, in state().
  const std::vector<size_t>& first_of_node() const { return first_of_node_; }

  // Copies values in; throws Error when a name is missing or unknown, a shape differs or a value is not
  // finite.
  void load_state(const NamedTensors& state);
  // Changes type and device of all weights.
  void to(const at::TensorOptions& options);
  // Type and device.
  at::TensorOptions options() const { return state_.front().second.options(); }
  c10::Device device() const { return state_.front().second.device(); }

 private:
  Weights(const Weights&) = default;

  Graph graph_;
  NamedTensors state_;
  std::vector<size_t> first_of_node_;
};

}  // namespace lucivox
