#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace lucivox {

// How batch norms of processes that train together, each on a share of one batch, see the whole batch: by
// sums over all of them. One process alone shares nothing.
struct SharedStatistics {
  int64_t ranks = 1;
  std::function<void(const at::Tensor&)> sum;  // over ranks, in place
};

// Batch norm in training mode of one share of a batch, [N, C, H, W], by the statistics of all shares (of one
// size each); differentiable through them. Sums are float32 at least. `running_mean` and `running_variance`
// are updated as at::batch_norm does for the whole batch.
at::Tensor shared_batch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& running_mean, const at::Tensor& running_variance,
                             double momentum, double eps, const SharedStatistics& shared);

}  // namespace lucivox
