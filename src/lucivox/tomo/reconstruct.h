#pragma once

#include <variant>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/geometry.h>
#include <lucivox/tomo/sirt.h>

namespace lucivox {

// How slices come out of sinograms: by filtered back-projection with a window, or by SIRT.
using ReconstructionMethod = std::variant<RampWindow, SirtOptions>;

// float32 [S, V, U], line integrals -> float32 [S, Y, X] in 1/mm, computed where the sinogram is. Throws as
// fbp() and sirt() do.
at::Tensor reconstruct(const at::Tensor& sino_SVU, const ScanGeometry& scan,
                       const ReconstructionMethod& method);

// Memory that it takes for so many slices at a time, input and result included, in bytes: an upper estimate.
double reconstruction_bytes(const ScanGeometry& scan, const ReconstructionMethod& method, int64_t slices);

}  // namespace lucivox
