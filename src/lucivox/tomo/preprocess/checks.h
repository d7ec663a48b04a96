#pragma once

#include <string_view>

#include <ATen/core/Tensor.h>

namespace lucivox {

// What the functions of this folder ask of a scan: `values` as float32, contiguous and on the CPU.
// `what` names it in messages ("the projections"), `axes` its dimensions ("V, Z, U").
// Throws Error (misuse) unless it has as many dimensions as there are axes, none of them empty, and
// Error when a value is NaN or infinite: how many are, and where the first is.
at::Tensor as_finite(const at::Tensor& values, std::string_view what, std::string_view axes);

// Throws Error (misuse) unless a window of `size` pixels is odd and at least 3.
void check_window(int64_t size);

}  // namespace lucivox
