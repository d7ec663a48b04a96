#pragma once

#include <ATen/core/Tensor.h>

namespace lucivox {

// DDNet's loss (Chaturvedi et al., section 1): mse * MSE + ms_ssim * (1 - MS-SSIM), MS-SSIM with the
// reference's "simple" normalisation and a data range of 1. The poster uses a weight of 0.2 for the second
// term.
struct LossOptions {
  double mse = 1;
  double ms_ssim = 0.1;
};

struct Loss {
  at::Tensor total;         // scalar, to differentiate
  at::Tensor mse, ms_ssim;  // scalars, to report; ms_ssim undefined when its weight is 0
};

// `output`, `target`: [N, 1, H, W] in unit range.
Loss ddnet_loss(const at::Tensor& output, const at::Tensor& target, const LossOptions& options);

}  // namespace lucivox
