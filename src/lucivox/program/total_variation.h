#pragma once

#include <ATen/core/Tensor.h>

namespace lucivox {

// Denoising by total variation (Rudin, Osher and Fatemi, 1992), by Chambolle's dual iteration ("An algorithm
// for total variation minimization and applications", J. Math. Imaging Vision 20, 2004, with the step 1/8
// that is proven to converge): the classical method that a network has to beat. `image`: float32 [N, Y, X];
// `strength` > 0 in its units: the larger, the smoother. A number of `iterations` that changes nothing
// visible any more.
at::Tensor total_variation(const at::Tensor& image_NYX, double strength, int64_t iterations = 100);

// The strength at which the root mean square distance of total_variation(`noisy`) from `truth` is smallest,
// to about 3 %.
struct BestTotalVariation {
  double strength = 0, rmse = 0;
  at::Tensor denoised;
};
BestTotalVariation best_total_variation(const at::Tensor& noisy_NYX, const at::Tensor& truth_NYX);

}  // namespace lucivox
