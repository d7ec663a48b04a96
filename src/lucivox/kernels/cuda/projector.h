#pragma once

#include <lucivox/kernels/joseph.h>

// A CUDA stream, as <cuda_runtime.h> declares it.
using cudaStream_t = struct CUstream_st*;

namespace lucivox::cuda {

// The twins of lucivox/kernels/cpu/projector.h: the same weights in the same precision, on arrays of the
// device. Enqueued on `stream`; throw Error when the device refuses.
void project(const ParallelScan& scan, const float* image_SYX, float* sino_SVU, cudaStream_t stream);
void back_project(const ParallelScan& scan, const float* sino_SVU, float* image_SYX, cudaStream_t stream);
void back_project_interpolated(const ParallelScan& scan, const float* sino_SVU, float* image_SYX,
                               cudaStream_t stream);

}  // namespace lucivox::cuda
