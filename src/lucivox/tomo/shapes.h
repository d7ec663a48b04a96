#pragma once

#include <string_view>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

// float32, contiguous and on the CPU. Throws Error (misuse) unless it is [any, rows, columns] of the scan.
at::Tensor as_image(const at::Tensor& image_SYX, const ParallelBeam& beam);
// The same for [any, views, detectors].
at::Tensor as_sinogram(const at::Tensor& sino_SVU, const ParallelBeam& beam);

}  // namespace lucivox
