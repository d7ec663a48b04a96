#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/nn/graph.h>
#include <lucivox/nn/layers.h>
#include <lucivox/nn/shared_statistics.h>

namespace lucivox {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

enum class Mode {
  Training,    // batch norm by the batch's statistics, running ones updated
  Evaluation,  // batch norm as its node says (NormStatistics), running statistics left as they are
};

// A graph with its weights, differentiable in Training and Evaluation alike (wrap inference in a
// NoGradGuard). In float32 on the CPU it runs layer by layer on our kernels (layers_run.h) where it is
// made of layers; else libtorch runs it node by node. Activations are kept channels-last, where CPUs and
// tensor cores are faster. Not thread-safe while training: Mode::Training updates the running statistics.
class Network {
 public:
  // With batch norms, weights are drawn as the public DDNet reference does: convolutions from N(0, 0.01),
  // batch norms 1 and 0. Without, every layer keeps the scale of what it reads (Glorot and Bengio, 2010, eq.
  // 16). Biases are 0. The same seed gives the same weights everywhere.
  Network(Graph graph, uint64_t seed);

  const Graph& graph() const { return graph_; }

  // [N, C, H, W] -> [N, C', H, W], H and W multiples of graph().size_multiple(), or [N, C', 1, 1] where the
  // last layer is a dense one, whose H and W are given. Throws Error for others.
  at::Tensor forward(const at::Tensor& x, Mode mode);

  // Weights and statistics in the order of graph().weights(); tensors share storage with the network.
  const NamedTensors& state() const { return state_; }
  // Those that are trained.
  NamedTensors parameters() const;
  // By name; throws Error when there is none.
  const at::Tensor& weight(const std::string& name) const;
  // Copies values in; throws Error when a name is missing or unknown, a shape differs or a value is not
  // finite.
  void load_state(const NamedTensors& state);

  // The same network with its weights, shared with this one, as constants: differentiable in x alone. Follows
  // what becomes of them in place, in training and load_state(), but not to().
  Network as_constants() const;

  // Changes type and device of all weights.
  void to(const at::TensorOptions& options);
  c10::Device device() const { return state_.front().second.device(); }

  // From now on convolutions and all between them are computed in this floating-point type, or in the
  // weights' own; weights, statistics and the output keep theirs (mixed precision).
  void compute_in(std::optional<at::ScalarType> type) { compute_type_ = type; }
  // From now on Mode::Training normalises by the statistics of all ranks' batches, of one size each, as one
  // process with the whole batch would.
  void share_statistics(SharedStatistics shared) { shared_ = std::move(shared); }

 private:
  at::Tensor run(const Node& node, const std::vector<at::Tensor>& inputs, size_t first_weight,
                 Mode mode) const;

  bool overwrites(const Node& activation) const;
  bool runs_by_layers(const at::Tensor& x) const;

  Graph graph_;
  std::optional<Layers> layers_;              // nothing: the graph is not of that kind
  std::vector<std::vector<NodeId>> readers_;  // of each node's output
  NamedTensors state_;
  std::optional<at::ScalarType> compute_type_;  // nothing: the weights' own
  SharedStatistics shared_;
  std::vector<size_t> first_weight_;            // of each node, in state_
  std::vector<std::vector<NodeId>> last_used_;  // outputs no longer needed once a node has run
};

// The running statistics of all batch norms become those of the pixels of all inputs, batches [N, C, H, W] of
// any sizes, by the weights as they are.
void take_statistics(Network& network, const std::vector<at::Tensor>& inputs);

}  // namespace lucivox
