#pragma once

#include <ATen/core/Tensor.h>

#include <lucivox/nn/graph.h>

namespace lucivox {

// The tensors of one batch norm, each [C]; the running ones are updated in training.
struct BatchNormWeights {
  const at::Tensor &weight, &bias, &running_mean, &running_var;
};

// Ioffe and Szegedy, 2015, in training: x [N, C, H, W] normalised by its own mean and variance.
// Differentiable. float32 on the CPU runs on our kernels (kernels/cpu/batch_norm.h), anything else on
// libtorch's.
at::Tensor batch_norm_training(const at::Tensor& x, const BatchNormWeights& weights, const BatchNorm& norm);

}  // namespace lucivox
