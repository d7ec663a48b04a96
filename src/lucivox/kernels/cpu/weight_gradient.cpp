#include <lucivox/kernels/cpu/weight_gradient.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/weight_gradient.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

// Pixels in a row that lie `x_stride` and `dy_stride` floats apart.
struct Run {
  const float* x;
  int64_t x_stride;
  const float* dy;
  int64_t dy_stride;
  int64_t pixels;
};

// dw[i][o] += sum over the run of x[pixel][i] dy[pixel][o], for In input channels and Out vectors of output
// channels; rows of dw lie `dw_stride` apart. Every sum stays in a register for the whole run.
template <size_t In, size_t Out, class D>
HWY_INLINE void add_tile(D d, const Run& run, float* dw, int64_t dw_stride) {
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> sum[In][Out];
  for (size_t i = 0; i < In; ++i) {
    for (size_t o = 0; o < Out; ++o) sum[i][o] = hn::Zero(d);
  }
  const float *x = run.x, *dy = run.dy;
  for (int64_t p = 0; p < run.pixels; ++p, x += run.x_stride, dy += run.dy_stride) {
    hn::Vec<D> gradient[Out];
    for (size_t o = 0; o < Out; ++o) gradient[o] = hn::LoadU(d, dy + o * lanes);
    for (size_t i = 0; i < In; ++i) {
      const auto value = hn::Set(d, x[i]);
      for (size_t o = 0; o < Out; ++o) sum[i][o] = hn::MulAdd(value, gradient[o], sum[i][o]);
    }
  }
  for (size_t i = 0; i < In; ++i) {
    float* row = dw + static_cast<int64_t>(i) * dw_stride;
    for (size_t o = 0; o < Out; ++o)
      hn::StoreU(hn::Add(sum[i][o], hn::LoadU(d, row + o * lanes)), d, row + o * lanes);
  }
}

// All input channels for Out vectors of output channels. A fused multiply-add takes 4 cycles and two start in
// each, so at least 8 sums must be under way; AVX2's 16 registers hold 12 of them, 2 gradients and a value.
template <size_t Out, class D>
void add_outputs(D d, Run run, int64_t in, float* dw, int64_t dw_stride) {
  constexpr size_t kIn = 12 / Out;
  const auto step = [&](auto count) {
    add_tile<count(), Out>(d, run, dw, dw_stride);
    run.x += count();
    dw += static_cast<int64_t>(count()) * dw_stride;
    in -= static_cast<int64_t>(count());
  };
  while (in >= static_cast<int64_t>(kIn)) step(std::integral_constant<size_t, kIn>());
  while (in >= 4) step(std::integral_constant<size_t, 4>());
  while (in >= 1) step(std::integral_constant<size_t, 1>());
}

// dw[i][o] of all channels, [in][out].
void add_run(const Run& whole, int64_t in, int64_t out, float* dw) {
  Run run = whole;
  const auto step = [&](auto d, auto vectors) {
    const auto channels = static_cast<int64_t>(hn::Lanes(d) * vectors());
    for (; out >= channels; out -= channels) {
      add_outputs<vectors()>(d, run, in, dw, whole.dy_stride);
      run.dy += channels;
      dw += channels;
    }
  };
  step(Floats(), std::integral_constant<size_t, 2>());
  step(Floats(), std::integral_constant<size_t, 1>());
  step(hn::CappedTag<float, 4>(), std::integral_constant<size_t, 1>());
  step(hn::CappedTag<float, 1>(), std::integral_constant<size_t, 1>());
}

// Adds one run of output pixels (image n, row y, columns [begin, end)) to dw: for each tap, those whose
// shifted pixel lies in the image.
void add_pixels(const ConvolutionShape& shape, const float* x, const float* dy, int64_t n, int64_t y,
                int64_t begin, int64_t end, float* dw) {
  const int64_t half = shape.kernel / 2;
  const float* dy_row = dy + (n * shape.rows + y) * shape.columns * shape.out;
  for (int64_t ky = 0; ky < shape.kernel; ++ky) {
    const int64_t from = y + ky - half;
    if (from < 0 || from >= shape.rows) continue;
    const float* x_row = x + (n * shape.rows + from) * shape.columns * shape.in;
    for (int64_t kx = 0; kx < shape.kernel; ++kx) {
      const int64_t shift = kx - half, first = std::max(begin, -shift),
                    last = std::min(end, shape.columns - shift);
      if (first >= last) continue;
      const Run run{x_row + (first + shift) * shape.in, shape.in, dy_row + first * shape.out, shape.out,
                    last - first};
      add_run(run, shape.in, shape.out, dw + (ky * shape.kernel + kx) * shape.in * shape.out);
    }
  }
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(add_pixels);

namespace {

// 64 pixels of 64 channels are 16 kB: half of a first-level cache, and long enough that reading and writing
// the sums counts for little.
constexpr int64_t kRun = 64;
// Shares of the rows, each with its own sums; one machine's threads rarely number more, and 16 of DDNet's
// largest kernel are 1.6 MB.
constexpr int64_t kShares = 16;

}  // namespace

void weight_gradient(const ConvolutionShape& shape, const float* x, const float* dy, float* dw) {
  const auto weights = static_cast<size_t>(shape.kernel * shape.kernel * shape.in * shape.out);
  std::vector<float> partial(kShares * weights);
  const int64_t rows = shape.images * shape.rows;
  parallel_for(0, kShares, [&](int64_t share) {
    float* sums = partial.data() + static_cast<size_t>(share) * weights;
    for (int64_t row = rows * share / kShares; row < rows * (share + 1) / kShares; ++row) {
      for (int64_t begin = 0; begin < shape.columns; begin += kRun) {
        HWY_DYNAMIC_DISPATCH(add_pixels)
        (shape, x, dy, row / shape.rows, row % shape.rows, begin, std::min(begin + kRun, shape.columns),
         sums);
      }
    }
  });
  std::copy_n(partial.data(), weights, dw);
  for (size_t share = 1; share < static_cast<size_t>(kShares); ++share) {
    for (size_t w = 0; w < weights; ++w) dw[w] += partial[share * weights + w];
  }
}

}  // namespace lucivox::cpu
#endif
