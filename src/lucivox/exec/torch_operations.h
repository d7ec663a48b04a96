#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/exec/shared_statistics.h>
#include <lucivox/nn/operations.h>

namespace lucivox {

enum class Mode {
  Training,    // batch norm by the batch's statistics, running ones updated
  Evaluation,  // batch norm as its node says (NormStatistics), running statistics left as they are
};

// What a node is computed from.
struct NodeInputs {
  const std::vector<at::Tensor>& values;   // [N, C, (D,) H, W] of each node that it reads
  const std::vector<at::Tensor>& weights;  // its own, in the order of Facts::weights
  Mode mode;
  const SharedStatistics& shared;
  bool overwrites;  // whether nothing else needs what an activation reads
};

// One operation by libtorch, differentiable, in the type of its inputs; weights may be of another. Throws
// Error when a dense layer is given images of another size than its own.
at::Tensor run_operation(const Operation& operation, const NodeInputs& inputs);

}  // namespace lucivox
