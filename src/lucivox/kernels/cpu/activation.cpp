#include <lucivox/kernels/cpu/activation.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/activation.cpp"
#include <algorithm>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/multiply-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

void activation_gradient_row(const float* y, int64_t y_stride, const float* slope, float* dy,
                             int64_t dy_stride, int64_t pixels, int64_t channels) {
  over_vectors(channels, [&](int64_t c, auto width) {
    const auto below = load(slope + c, width);
    for (int64_t p = 0; p < pixels; ++p) {
      float* at = dy + p * dy_stride + c;
      const auto gradient = load(at, width);
      const auto above = hn::Gt(load(y + p * y_stride + c, width), hn::Zero(Floats()));
      store(hn::IfThenElse(above, gradient, hn::Mul(gradient, below)), at, width);
    }
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(activation_gradient_row);

void activation_gradient(const Pixels<const float>& y, const float* slope, const Pixels<float>& dy) {
  parallel_for(0, y.images * y.rows, [&](int64_t row) {
    const int64_t first = row * y.columns;
    HWY_DYNAMIC_DISPATCH(activation_gradient_row)
    (y.data + first * y.stride, y.stride, slope, dy.data + first * dy.stride, dy.stride, y.columns,
     y.channels);
  });
}

}  // namespace lucivox::cpu
#endif
