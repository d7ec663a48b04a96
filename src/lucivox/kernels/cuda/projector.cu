// Legend as in cpu/projector.cpp: S slices, Y rows, X columns, V views, U detectors; "line" is a row or a
// column, whichever a view marches along. One thread computes one number of the output, so that nothing is
// added up atomically and every sum has one order.
#include <string>

#include <cuda_runtime.h>

#include <lucivox/base/error.h>
#include <lucivox/kernels/cuda/projector.h>

namespace lucivox::cuda {
namespace {

void check(cudaError_t status) {
  if (status == cudaSuccess) return;
  throw Error(std::string("the GPU refuses to project: ") + cudaGetErrorString(status),
              "use --device cpu, or a GPU with more free memory");
}

// An array of the device for as long as a call lasts; freed in the stream's order.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(const std::vector<T>& values, cudaStream_t stream) : stream_(stream) {
    const size_t bytes = values.size() * sizeof(T);
    check(cudaMallocAsync(reinterpret_cast<void**>(&data_), bytes, stream));
    check(cudaMemcpyAsync(data_, values.data(), bytes, cudaMemcpyHostToDevice, stream));
  }
  ~DeviceArray() { cudaFreeAsync(data_, stream_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  const T* data() const { return data_; }

 private:
  T* data_ = nullptr;
  cudaStream_t stream_;
};

// What the kernels need of a scan.
struct Sizes {
  int rows, columns, views, detectors;
};

Sizes sizes_of(const ParallelScan& scan) {
  return {static_cast<int>(scan.rows), static_cast<int>(scan.columns), static_cast<int>(scan.views()),
          static_cast<int>(scan.detectors)};
}

__device__ float value_at(const float* line, int64_t step, int length, int i) {
  return i >= 0 && i < length ? line[i * step] : 0.0F;
}

// line[position] interpolated linearly, 0 outside; neighbours lie `step` floats apart.
__device__ float interpolate(const float* line, int64_t step, int length, float position) {
  const float below = floorf(position), fraction = position - below;
  const int i = static_cast<int>(below);
  const float a = value_at(line, step, length, i), b = value_at(line, step, length, i + 1);
  return fmaf(fraction, b - a, a);
}

__device__ float at_first_detector(const JosephView& view, int line) {
  return static_cast<float>(view.per_line * line + view.offset);
}

__global__ void project_kernel(Sizes size, const JosephView* views, const float* image_SYX, float* sino_SVU) {
  const int u = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), v = static_cast<int>(blockIdx.y);
  if (u >= size.detectors) return;
  const JosephView view = views[v];
  const float* image = image_SYX + static_cast<int64_t>(blockIdx.z) * size.rows * size.columns;
  const int lines = view.by_columns ? size.columns : size.rows,
            length = view.by_columns ? size.rows : size.columns;
  const int64_t to_next_line = view.by_columns ? 1 : size.columns,
                along_line = view.by_columns ? size.columns : 1;
  const float step = static_cast<float>(view.per_detector);
  float sum = 0;
  for (int l = 0; l < lines; ++l) {
    sum += interpolate(image + l * to_next_line, along_line, length,
                       fmaf(step, static_cast<float>(u), at_first_detector(view, l)));
  }
  sino_SVU[(static_cast<int64_t>(blockIdx.z) * size.views + v) * size.detectors + u] =
      sum * static_cast<float>(view.weight);
}

// The weights that Joseph's interpolation gave pixel `x` of line `l`, gathered from the detectors within one
// pixel of it.
__device__ float gather(const JosephView& view, const float* sino_U, int detectors, int l, int x) {
  const float step = static_cast<float>(view.per_detector),
              per_pixel = static_cast<float>(1 / view.per_detector);
  const float first = at_first_detector(view, l);
  const int begin = static_cast<int>(floorf((static_cast<float>(x) - first) * per_pixel - fabsf(per_pixel)));
  const int candidates = static_cast<int>(2 * fabsf(per_pixel)) + 3;
  float sum = 0;
  for (int u = begin; u < begin + candidates; ++u) {
    const float hat = 1 - fabsf(fmaf(step, static_cast<float>(u), first) - static_cast<float>(x));
    sum = fmaf(fmaxf(hat, 0), value_at(sino_U, 1, detectors, u), sum);
  }
  return sum * static_cast<float>(view.weight);
}

__global__ void back_project_kernel(Sizes size, const JosephView* views, const float* sino_SVU,
                                    float* image_SYX) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), y = static_cast<int>(blockIdx.y);
  if (x >= size.columns) return;
  const float* sino = sino_SVU + static_cast<int64_t>(blockIdx.z) * size.views * size.detectors;
  float sum = 0;
  for (int v = 0; v < size.views; ++v) {
    const JosephView view = views[v];
    sum += gather(view, sino + static_cast<int64_t>(v) * size.detectors, size.detectors,
                  view.by_columns ? x : y, view.by_columns ? y : x);
  }
  image_SYX[(static_cast<int64_t>(blockIdx.z) * size.rows + y) * size.columns + x] = sum;
}

// Where a view sees the pixel (x, y): at_origin + per_x x + per_y y, counted in detectors.
struct PixelView {
  float at_origin, per_x, per_y;
};

std::vector<PixelView> pixel_views(const ParallelScan& scan) {
  std::vector<PixelView> views;
  const double scale = scan.pixel_mm / scan.detector_mm;
  for (const double angle : scan.angles_rad) {
    const double per_x = std::cos(angle) * scale, per_y = std::sin(angle) * scale;
    const double at_origin = static_cast<double>(scan.detectors - 1) / 2 -
                             per_x * static_cast<double>(scan.columns - 1) / 2 -
                             per_y * static_cast<double>(scan.rows - 1) / 2;
    views.push_back({static_cast<float>(at_origin), static_cast<float>(per_x), static_cast<float>(per_y)});
  }
  return views;
}

__global__ void interpolated_kernel(Sizes size, const PixelView* views, const float* sino_SVU,
                                    float* image_SYX) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), y = static_cast<int>(blockIdx.y);
  if (x >= size.columns) return;
  const float* sino = sino_SVU + static_cast<int64_t>(blockIdx.z) * size.views * size.detectors;
  float sum = 0;
  for (int v = 0; v < size.views; ++v) {
    const PixelView view = views[v];
    const float position =
        fmaf(view.per_x, static_cast<float>(x), fmaf(view.per_y, static_cast<float>(y), view.at_origin));
    sum += interpolate(sino + static_cast<int64_t>(v) * size.detectors, 1, size.detectors, position);
  }
  image_SYX[(static_cast<int64_t>(blockIdx.z) * size.rows + y) * size.columns + x] = sum;
}

// A warp reads neighbouring detectors or pixels, which lie side by side in memory.
constexpr int kThreads = 128;

dim3 blocks(int64_t along, int64_t across, int64_t slices) {
  return {static_cast<unsigned>((along + kThreads - 1) / kThreads), static_cast<unsigned>(across),
          static_cast<unsigned>(slices)};
}

}  // namespace

void project(const ParallelScan& scan, const float* image_SYX, float* sino_SVU, cudaStream_t stream) {
  const DeviceArray<JosephView> views(joseph_views(scan), stream);
  project_kernel<<<blocks(scan.detectors, scan.views(), scan.slices), kThreads, 0, stream>>>(
      sizes_of(scan), views.data(), image_SYX, sino_SVU);
  check(cudaGetLastError());
}

void back_project(const ParallelScan& scan, const float* sino_SVU, float* image_SYX, cudaStream_t stream) {
  const DeviceArray<JosephView> views(joseph_views(scan), stream);
  back_project_kernel<<<blocks(scan.columns, scan.rows, scan.slices), kThreads, 0, stream>>>(
      sizes_of(scan), views.data(), sino_SVU, image_SYX);
  check(cudaGetLastError());
}

void back_project_interpolated(const ParallelScan& scan, const float* sino_SVU, float* image_SYX,
                               cudaStream_t stream) {
  const DeviceArray<PixelView> views(pixel_views(scan), stream);
  interpolated_kernel<<<blocks(scan.columns, scan.rows, scan.slices), kThreads, 0, stream>>>(
      sizes_of(scan), views.data(), sino_SVU, image_SYX);
  check(cudaGetLastError());
}

}  // namespace lucivox::cuda
