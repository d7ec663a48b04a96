// Writes gradients as an Arrival says, a vector of channels at a time.

#if defined(LUCIVOX_ARRIVAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUCIVOX_ARRIVAL_INL_H_
#undef LUCIVOX_ARRIVAL_INL_H_
#else
#define LUCIVOX_ARRIVAL_INL_H_
#endif

#include <lucivox/kernels/cpu/arrival.h>
#include <lucivox/kernels/cpu/multiply-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

class ArrivingChannels {
 public:
  ArrivingChannels(const Arrival& arrival, const Pixels<float>& dx, int64_t c, int64_t channels)
      : x_(arrival.x.data + c),
        dx_(dx.data + c),
        x_stride_(arrival.x.stride),
        dx_stride_(dx.stride),
        channels_(channels),
        slope_(load(arrival.slope + c, channels)),
        kept_(hn::Gt(load(arrival.kept + c, channels), hn::Zero(Floats()))) {}

  HWY_INLINE hn::Vec<Floats> x(int64_t pixel) const { return load(x_ + pixel * x_stride_, channels_); }

  HWY_INLINE void put(int64_t pixel, hn::Vec<Floats> x, hn::Vec<Floats> gradient) const {
    float* to = dx_ + pixel * dx_stride_;
    const auto sum = hn::Add(hn::IfThenElseZero(kept_, load(to, channels_)), gradient);
    const auto above = hn::Gt(x, hn::Zero(Floats()));
    store(hn::IfThenElse(above, sum, hn::Mul(sum, slope_)), to, channels_);
  }

 private:
  const float* x_;
  float* dx_;
  int64_t x_stride_, dx_stride_, channels_;
  hn::Vec<Floats> slope_;
  hn::Mask<Floats> kept_;
};

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
