#pragma once

#include <ATen/core/Tensor.h>

#include <lucivox/kernels/scan.h>

namespace lucivox {

// The projections of kernels/, computed where the tensors are: on the CPU, or, in builds with CUDA, on their
// GPU. float32, contiguous: images [S, Y, X], sinograms [S, V, U], in the units of kernels/. Throw Error for
// a GPU that this build does not know, or that refuses.
at::Tensor project(const RayScan& scan, const at::Tensor& image_SYX);
at::Tensor back_project(const RayScan& scan, const at::Tensor& sino_SVU);
at::Tensor back_project_pixels(const RayScan& scan, const at::Tensor& sino_SVU);

// Those of a GPU, from one contiguous array to another.
enum class Projecting { Forward, Adjoint, Pixels };
void project_on_gpu(Projecting what, const RayScan& scan, const at::Tensor& from, const at::Tensor& to);

}  // namespace lucivox
