#pragma once

#include <torch/types.h>

// |a - b| / |b| over all elements (Euclidean norms); NaN when either holds one, so compare with !(x < limit)
// in mind. Tensors of any device.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor truth = b.detach().to(at::kCPU, at::kDouble);
  return ((a.detach().to(at::kCPU, at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.detach().to(at::kCPU, at::kDouble) - b.detach().to(at::kCPU, at::kDouble))
      .abs()
      .max()
      .item<double>();
}

// The root of the mean squared difference.
inline double rmse(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).square().mean().sqrt().item<double>();
}
