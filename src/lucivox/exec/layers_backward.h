#pragma once

#include <vector>

#include <lucivox/exec/layers_record.h>
#include <lucivox/exec/layers_run.h>

namespace lucivox {

// The backward pass of layers_run.h, from the gradient of the output, [N, C, H, W]. Fills those of
// `gradients`, which are of [x, weights in the order of the state], that are `wanted`; convolutions whose
// weights nobody wants make none.
void run_backward(const LayersRecord& record, const NodeWeights& weights, const at::Tensor& output_gradient,
                  const std::vector<bool>& wanted, std::vector<at::Tensor>& gradients);

}  // namespace lucivox
