#pragma once

#include <lucivox/kernels/scan.h>

// A CUDA stream, as <cuda_runtime.h> declares it.
using cudaStream_t = struct CUstream_st*;

namespace lucivox::cuda {

// The twins of lucivox/kernels/cpu/projector.h and pixel_projector.h: the same rays and weights, on arrays of
// the device. Enqueued on `stream`; throw Error when the device refuses.
void project(const RayScan& scan, int64_t slices, const float* image_SYX, float* sino_SVU,
             cudaStream_t stream);
void back_project(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX,
                  cudaStream_t stream);
void back_project_pixels(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX,
                         cudaStream_t stream);

}  // namespace lucivox::cuda
