#pragma once

#include <ATen/core/Tensor.h>

namespace lucivox {

// Stride-1 convolution that keeps the size: x [N, in, H, W], weight [out, in, k, k] with k odd, bias [out].
// Differentiable. On CPUs without AVX-512, oneDNN computes the weights' gradient in a third of the machine's
// speed, a quarter of a DDNet step: there our kernel does it (kernels/cpu/weight_gradient.h).
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace lucivox
