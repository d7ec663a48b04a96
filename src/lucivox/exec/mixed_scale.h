#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/kernels/cpu/mixed_scale.h>
#include <lucivox/nn/weights.h>

namespace lucivox {

// A graph seen as a Mixed-Scale Dense network: how networks of that kind run on CPUs.
struct MixedScaleNodes {
  cpu::MixedScale network;
  std::vector<NodeId> layers;  // the convolutions
  NodeId output;               // the last one, of 1x1; what stands behind it reads nothing else
};

// Nothing when the graph is of another kind.
std::optional<MixedScaleNodes> as_mixed_scale(const Graph& graph);

// What the output layer makes of [N, C, (D,) H, W], it and the weights float32 on the CPU, differentiable in
// all of them: one step of autograd, for which all maps are kept.
at::Tensor run_mixed_scale(const std::shared_ptr<const MixedScaleNodes>& nodes, const Weights& weights,
                           const at::Tensor& x);

}  // namespace lucivox
