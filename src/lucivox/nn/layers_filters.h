#pragma once

#include <ATen/core/Tensor.h>

#include <lucivox/nn/graph.h>

namespace lucivox {

// Weights of a convolution, [out, in, k, k] or transposed [in, out, k, k], as our kernels read them. At
// stride 1 a transposed convolution is the ordinary one with its kernel turned. Float32 on the CPU.

// [k, k, in, out], for the forward pass.
at::Tensor filters_of(const at::Tensor& weight, const Convolution& conv);
// [k, k, out, in], turned by 180 degrees, for the backward one.
at::Tensor turned_filters_of(const at::Tensor& weight, const Convolution& conv);
// The way back from filters_of().
at::Tensor weight_of(const at::Tensor& filters, const Convolution& conv);

}  // namespace lucivox
