// Legend as in cpu/projector.cpp: S slices, Y rows, X columns, V views, U detectors; "line" is a row or a
// column, whichever a ray marches along. One thread computes one number of the output, so that nothing is
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
    const cudaError_t copied = cudaMemcpyAsync(data_, values.data(), bytes, cudaMemcpyHostToDevice, stream);
    if (copied != cudaSuccess) cudaFreeAsync(data_, stream);  // nothing is destroyed that was not constructed
    check(copied);
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
  Beam beam;
  float centre, per_lateral, source_mm;
};

Sizes sizes_of(const RayScan& scan) {
  return {static_cast<int>(scan.rows),
          static_cast<int>(scan.columns),
          static_cast<int>(scan.views),
          static_cast<int>(scan.detectors),
          scan.beam,
          scan.centre,
          scan.per_lateral,
          scan.source_mm};
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

// Where a ray meets line `l`, in pixels from the line's first.
__device__ float position_on(const JosephRay& ray, int l, int lines, int length) {
  const float from_middle = static_cast<float>(l) - 0.5F * static_cast<float>(lines - 1);
  return fmaf(ray.slope, from_middle, ray.middle) + 0.5F * static_cast<float>(length - 1);
}

__global__ void project_kernel(Sizes size, const JosephRay* rays, const float* image_SYX, float* sino_SVU) {
  const int u = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), v = static_cast<int>(blockIdx.y);
  if (u >= size.detectors) return;
  const JosephRay ray = rays[v * size.detectors + u];
  const float* image = image_SYX + static_cast<int64_t>(blockIdx.z) * size.rows * size.columns;
  const int lines = ray.by_columns ? size.columns : size.rows,
            length = ray.by_columns ? size.rows : size.columns;
  const int64_t to_next_line = ray.by_columns ? 1 : size.columns,
                along_line = ray.by_columns ? size.columns : 1;
  float sum = 0;
  for (int l = 0; l < lines; ++l)
    sum += interpolate(image + l * to_next_line, along_line, length, position_on(ray, l, lines, length));
  sino_SVU[(static_cast<int64_t>(blockIdx.z) * size.views + v) * size.detectors + u] = sum * ray.weight;
}

// The detector that a view sees a point at, counted from 0, and the weight of its distance in FBP.
struct Seen {
  float detector, weight;
};

__device__ Seen look(const Sizes& size, const PixelView& view, float x, float y) {
  const float lateral = fmaf(view.lateral_x, x, fmaf(view.lateral_y, y, view.lateral)),
              depth = fmaf(view.depth_x, x, fmaf(view.depth_y, y, view.depth));
  if (size.beam == Beam::Parallel) return {fmaf(lateral, size.per_lateral, size.centre), 1};
  if (size.beam == Beam::FanFlat)
    return {fmaf(lateral / depth, size.per_lateral, size.centre), 1 / (depth * depth)};
  const float aside = lateral / size.source_mm;
  return {fmaf(atan2f(aside, depth), size.per_lateral, size.centre), 1 / fmaf(aside, aside, depth * depth)};
}

// The weights that Joseph's interpolation gave one pixel, gathered from the detectors between which the pixel
// and its neighbours are seen.
__device__ float gather(const Sizes& size, const PixelView& view, const JosephRay* rays_U,
                        const float* sino_U, int x, int y) {
  const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
  const float left = look(size, view, fx - 1, fy).detector, right = look(size, view, fx + 1, fy).detector,
              above = look(size, view, fx, fy - 1).detector, below = look(size, view, fx, fy + 1).detector;
  // clamped before they become integers: beside a source at the image's edge a neighbour is seen infinitely far out
  const auto last = static_cast<float>(size.detectors - 1);
  const int begin = static_cast<int>(fmaxf(floorf(fminf(fminf(left, right), fminf(above, below))), 0)),
            end = static_cast<int>(fminf(ceilf(fmaxf(fmaxf(left, right), fmaxf(above, below))), last));
  float sum = 0;
  for (int u = begin; u <= end; ++u) {
    const JosephRay ray = rays_U[u];
    const float away = ray.by_columns ? position_on(ray, x, size.columns, size.rows) - fy
                                      : position_on(ray, y, size.rows, size.columns) - fx;
    sum = fmaf(fmaxf(1 - fabsf(away), 0) * ray.weight, sino_U[u], sum);
  }
  return sum;
}

__global__ void back_project_kernel(Sizes size, const PixelView* views, const JosephRay* rays,
                                    const float* sino_SVU, float* image_SYX) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), y = static_cast<int>(blockIdx.y);
  if (x >= size.columns) return;
  const float* sino = sino_SVU + static_cast<int64_t>(blockIdx.z) * size.views * size.detectors;
  float sum = 0;
  for (int v = 0; v < size.views; ++v)
    sum += gather(size, views[v], rays + v * size.detectors, sino + static_cast<int64_t>(v) * size.detectors,
                  x, y);
  image_SYX[(static_cast<int64_t>(blockIdx.z) * size.rows + y) * size.columns + x] = sum;
}

__global__ void pixels_kernel(Sizes size, const PixelView* views, const float* sino_SVU, float* image_SYX) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), y = static_cast<int>(blockIdx.y);
  if (x >= size.columns) return;
  const float* sino = sino_SVU + static_cast<int64_t>(blockIdx.z) * size.views * size.detectors;
  float sum = 0;
  for (int v = 0; v < size.views; ++v) {
    const Seen seen = look(size, views[v], static_cast<float>(x), static_cast<float>(y));
    sum = fmaf(interpolate(sino + static_cast<int64_t>(v) * size.detectors, 1, size.detectors, seen.detector),
               seen.weight, sum);
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

void project(const RayScan& scan, int64_t slices, const float* image_SYX, float* sino_SVU,
             cudaStream_t stream) {
  const DeviceArray<JosephRay> rays(scan.rays, stream);
  project_kernel<<<blocks(scan.detectors, scan.views, slices), kThreads, 0, stream>>>(
      sizes_of(scan), rays.data(), image_SYX, sino_SVU);
  check(cudaGetLastError());
}

void back_project(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX,
                  cudaStream_t stream) {
  const DeviceArray<JosephRay> rays(scan.rays, stream);
  const DeviceArray<PixelView> views(scan.pixel_views, stream);
  back_project_kernel<<<blocks(scan.columns, scan.rows, slices), kThreads, 0, stream>>>(
      sizes_of(scan), views.data(), rays.data(), sino_SVU, image_SYX);
  check(cudaGetLastError());
}

void back_project_pixels(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX,
                         cudaStream_t stream) {
  const DeviceArray<PixelView> views(scan.pixel_views, stream);
  pixels_kernel<<<blocks(scan.columns, scan.rows, slices), kThreads, 0, stream>>>(
      sizes_of(scan), views.data(), sino_SVU, image_SYX);
  check(cudaGetLastError());
}

}  // namespace lucivox::cuda
