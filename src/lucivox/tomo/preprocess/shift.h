#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Every slice moved along the detector so that its axis of rotation, at column centres[s], comes to lie in
// the middle, (U - 1) / 2: float32 [S, V, U] -> the same. By the Fourier shift theorem on each row and its
// mirror image, which together have no jump at their ends. Throws Error (misuse) for another shape, and
// unless there is a centre for every slice and all lie on the detector.
at::Tensor centred(const at::Tensor& sino_SVU, const std::vector<double>& centres);

}  // namespace lucivox
