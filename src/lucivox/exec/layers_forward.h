#pragma once

#include <lucivox/exec/layers_record.h>
#include <lucivox/exec/layers_run.h>

namespace lucivox {

// The forward pass of layers_run.h; gives the output, [N, C, H, W]. `record` comes with its layers, mode and
// ranks and leaves complete, unless it `keeps` nothing: then every buffer goes when all have read it.
at::Tensor run_forward(const NodeWeights& weights, const at::Tensor& x, bool keeps, LayersRecord& record);

}  // namespace lucivox
