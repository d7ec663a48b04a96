#include <lucivox/kernels/cpu/window_mean.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/window_mean.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// y[i] = sum over k of weights[k] * x[i + k * step], for i below `count`.
void correlate(const float* weights, int64_t taps, const float* x, int64_t step, float* y, int64_t count) {
  const auto body = [=](auto d, int64_t i) {
    auto sum = hn::Zero(d);
    for (int64_t k = 0; k < taps; ++k)
      sum = hn::MulAdd(hn::Set(d, weights[k]), hn::LoadU(d, x + i + k * step), sum);
    hn::StoreU(sum, d, y + i);
  };
  const hn::ScalableTag<float> whole;
  const auto lanes = static_cast<int64_t>(hn::Lanes(whole));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(whole, i);
  for (; i < count; ++i) body(hn::CappedTag<float, 1>(), i);
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(correlate);

namespace {

void correlate(std::span<const float> weights, const float* x, int64_t step, float* y, int64_t count) {
  HWY_DYNAMIC_DISPATCH(correlate)(weights.data(), static_cast<int64_t>(weights.size()), x, step, y, count);
}

}  // namespace

void window_mean(const WindowedImages& size, std::span<const float> vertical,
                 std::span<const float> horizontal, const float* x, float* means) {
  const int64_t rows = size.rows - std::ssize(vertical) + 1,
                columns = size.columns - std::ssize(horizontal) + 1;
  parallel_for(0, size.images * rows, [&](int64_t row) {
    std::vector<float> line(static_cast<size_t>(size.columns));
    const float* first = x + (row / rows * size.rows + row % rows) * size.columns;
    correlate(vertical, first, size.columns, line.data(), size.columns);
    correlate(horizontal, line.data(), 1, means + row * columns, columns);
  });
}

void window_mean_adjoint(const WindowedImages& size, std::span<const float> vertical,
                         std::span<const float> horizontal, const float* means, float* x) {
  const int64_t v = std::ssize(vertical), h = std::ssize(horizontal);
  const int64_t rows = size.rows - v + 1, columns = size.columns - h + 1;
  const std::vector<float> across(horizontal.rbegin(), horizontal.rend()),
      down(vertical.rbegin(), vertical.rend());
  parallel_for(0, size.images * size.rows, [&](int64_t row) {
    // Row y of an image is in the windows of rows y - v + 1 .. y, as far as there are such.
    const int64_t image = row / size.rows, y = row % size.rows;
    const int64_t begin = std::max<int64_t>(y - v + 1, 0), end = std::min(y + 1, rows);
    std::vector<float> line(static_cast<size_t>(columns + 2 * (h - 1)));  // zeros on both sides
    const std::span<const float> met(down.data() + (begin - (y - v + 1)), static_cast<size_t>(end - begin));
    correlate(met, means + (image * rows + begin) * columns, columns, line.data() + h - 1, columns);
    correlate(across, line.data(), 1, x + row * size.columns, size.columns);
  });
}

}  // namespace lucivox::cpu
#endif
