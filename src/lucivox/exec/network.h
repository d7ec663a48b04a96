#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/exec/layers.h>
#include <lucivox/exec/mixed_scale.h>
#include <lucivox/exec/shared_statistics.h>
#include <lucivox/exec/torch_operations.h>
#include <lucivox/nn/weights.h>

namespace lucivox {

// Computes what a graph and its weights make of images, differentiable in Training and Evaluation alike (wrap
// inference in a NoGradGuard). In float32 on the CPU it runs layer by layer on our kernels (layers_run.h)
// where the graph is made of layers, or by the kernels for Mixed-Scale Dense networks
// (mixed_scale.h); else libtorch runs it node by node. Activations are kept channels-last,
// where CPUs and tensor cores are faster. Not thread-safe while training: Mode::Training updates the running
// statistics.
class Network {
 public:
  explicit Network(Weights weights);
  // With weights drawn from the seed.
  Network(Graph graph, uint64_t seed) : Network(Weights(std::move(graph), seed)) {}

  const Graph& graph() const { return weights_.graph(); }
  const Weights& weights() const { return weights_; }
  Weights& weights() { return weights_; }

  // [N, C, (D,) H, W] -> [N, C', (D,) H, W], sizes multiples of graph().size_multiples(), or [N, C', 1, 1]
  // where the last layer is a dense one, whose H and W are given. Throws Error for others.
  at::Tensor forward(const at::Tensor& x, Mode mode);

  // From now on convolutions and all between them are computed in this floating-point type, or in the
  // weights' own; weights, statistics and the output keep theirs (mixed precision).
  void compute_in(std::optional<at::ScalarType> type) { compute_type_ = type; }
  // From now on Mode::Training normalises by the statistics of all ranks' batches, of one size each, as one
  // process with the whole batch would.
  void share_statistics(SharedStatistics shared) { shared_ = std::move(shared); }

 private:
  void require_input(const at::Tensor& x) const;
  bool overwrites(const Node& node) const;
  bool suits_our_kernels(const at::Tensor& x) const;

  Weights weights_;
  std::shared_ptr<const Layers> layers_;                // null: the graph is not of that kind
  std::shared_ptr<const MixedScaleNodes> mixed_scale_;  // the same
  std::vector<std::vector<NodeId>> readers_;            // of each node's output
  std::optional<at::ScalarType> compute_type_;          // nothing: the weights' own
  SharedStatistics shared_;
  std::vector<std::vector<NodeId>> last_used_;  // outputs no longer needed once a node has run
};

// The running statistics of all batch norms become those of the pixels of all inputs, batches [N, C, H, W] of
// any sizes, by the weights as they are.
void take_statistics(Network& network, const std::vector<at::Tensor>& inputs);

}  // namespace lucivox
