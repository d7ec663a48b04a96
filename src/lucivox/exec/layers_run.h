#pragma once

#include <memory>

#include <lucivox/exec/layers.h>
#include <lucivox/exec/network.h>

namespace lucivox {

// The tensors that nodes own, in the order of Graph::weights().
struct NodeWeights {
  const NamedTensors& state;
  const std::vector<size_t>& first;  // of each node, in `state`

  const at::Tensor& of(NodeId node, size_t i) const {
    return state[first[static_cast<size_t>(node)] + i].second;
  }
  const float* values(NodeId node, size_t i) const {
    TORCH_INTERNAL_ASSERT(of(node, i).is_contiguous());
    return of(node, i).const_data_ptr<float>();
  }
};

// Runs a graph's body layer by layer on our kernels (kernels/cpu/convolution.h) and gives its output,
// differentiable in x and in those weights that require it: all of it is one step of autograd. x is
// [N, C, H, W], it and the weights float32 on the CPU. Only the outputs of layers are kept for the backward
// pass, and without one none that was read. In Mode::Training batch norms normalise by the batch's
// statistics, each computed once where it is made and shared by all that read it (Ioffe and Szegedy, 2015),
// and update the running ones.
at::Tensor run_layers(const std::shared_ptr<const Layers>& layers, const NodeWeights& weights,
                      const at::Tensor& x, Mode mode, const SharedStatistics& shared);

}  // namespace lucivox
