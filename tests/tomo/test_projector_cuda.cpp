// The CUDA projectors against their CPU twins.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/kernels/cpu/pixel_projector.h>
#include <lucivox/kernels/cpu/projector.h>
#include <lucivox/kernels/cuda/projector.h>
#include <lucivox/tomo/geometry.h>

namespace lucivox {
namespace {

using CpuProjector = void (*)(const RayScan&, int64_t, const float*, float*);
using DeviceProjector = void (*)(const RayScan&, int64_t, const float*, float*, cudaStream_t);

// The device's answer to `input`, by plain CUDA copies, so that libtorch's CUDA half is not needed.
at::Tensor on_device(DeviceProjector projector, const RayScan& scan, const at::Tensor& input,
                     at::IntArrayRef output_shape) {
  at::Tensor output = torch::empty(output_shape);
  float *device_input = nullptr, *device_output = nullptr;
  cudaMalloc(reinterpret_cast<void**>(&device_input), input.nbytes());
  cudaMalloc(reinterpret_cast<void**>(&device_output), output.nbytes());
  cudaMemcpy(device_input, input.const_data_ptr<float>(), input.nbytes(), cudaMemcpyHostToDevice);
  projector(scan, input.size(0), device_input, device_output, nullptr);
  cudaMemcpy(output.mutable_data_ptr<float>(), device_output, output.nbytes(), cudaMemcpyDeviceToHost);
  cudaFree(device_input);
  cudaFree(device_output);
  return output;
}

TEST(ProjectorCuda, EqualsItsCpuTwin) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "no GPU here";
  const at::Tensor image = torch::rand({2, 50, 70}), sino = torch::rand({2, 37, 91});
  for (const Beam beam : {Beam::Parallel, Beam::FanFlat, Beam::FanCurved}) {
    const RayScan scan = ray_scan({.angles_rad = whole_turn(37),
                                   .detectors = 91,
                                   .detector_mm = 1.4,
                                   .rows = 50,
                                   .columns = 70,
                                   .pixel_mm = 1.1,
                                   .centre = 44.2,
                                   .beam = beam,
                                   .source_mm = 150,
                                   .source_detector_mm = 250});
    const auto compare = [&](CpuProjector cpu, DeviceProjector cuda, const at::Tensor& input,
                             at::IntArrayRef shape) {
      at::Tensor truth = torch::empty(shape);
      cpu(scan, 2, input.const_data_ptr<float>(), truth.mutable_data_ptr<float>());
      // sums of about a hundred float32 terms in another order, positions rounded at 1e-5 of a pixel
      EXPECT_LT(relative_difference(on_device(cuda, scan, input, shape), truth), 2e-5);
    };
    compare(cpu::project, cuda::project, image, sino.sizes());
    compare(cpu::back_project, cuda::back_project, sino, image.sizes());
    compare(cpu::back_project_pixels, cuda::back_project_pixels, sino, image.sizes());
  }
}

}  // namespace
}  // namespace lucivox
