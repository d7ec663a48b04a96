// Winograd's minimal filtering F(4x4, 5x5) (Lavin and Gray, 2016): 4x4 outputs of a 5x5 convolution from 8x8
// inputs with 64 multiplications instead of 400,
//
//   Y = A' [ (G w G') * (B' d B) ] A,
//
// by interpolation at 0, 1, -1, 2, -2, 1/2, -1/2 and infinity. In float32 its error is about 5 times that of
// the direct sum. The gradient of w is G' [ (B' d B) * (A dY A') ] G.

#if defined(LUCIVOX_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUCIVOX_WINOGRAD_INL_H_
#undef LUCIVOX_WINOGRAD_INL_H_
#else
#define LUCIVOX_WINOGRAD_INL_H_
#endif

#include <utility>

#include <lucivox/kernels/cpu/multiply-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

inline constexpr int64_t kTap = 5, kOut = 4, kIn = 8, kPoints = kIn * kIn;

using Vector = hn::Vec<Floats>;

// The rows of G for the kernel's values k[0..4]: its polynomial at each point, divided by the product of the
// point's differences from the others.
HWY_INLINE void to_points(const Vector* k, Vector* u) {
  const Floats d;
  const auto at = [&](float p, float factor, Vector& plus, Vector& minus) {
    const auto p1 = hn::Set(d, p), p2 = hn::Set(d, p * p), f = hn::Set(d, factor);
    const auto even = hn::MulAdd(hn::MulAdd(k[4], p2, k[2]), p2, k[0]),
               odd = hn::Mul(hn::MulAdd(k[3], p2, k[1]), p1);
    plus = hn::Mul(f, hn::Add(even, odd));
    minus = hn::Mul(f, hn::Sub(even, odd));
  };
  u[0] = k[0];
  at(1.0F, -2.0F / 9, u[1], u[2]);
  at(2.0F, 1.0F / 90, u[3], u[4]);
  at(0.5F, 32.0F / 45, u[5], u[6]);
  u[7] = k[4];
}

// Its adjoint, G'.
HWY_INLINE void from_points(const Vector* u, Vector* k) {
  const Floats d;
  for (int i = 0; i < 5; ++i) k[i] = hn::Zero(d);
  const auto add = [&](float p, float factor, Vector plus, Vector minus) {
    const auto f = hn::Set(d, factor), even = hn::Mul(f, hn::Add(plus, minus)),
               odd = hn::Mul(f, hn::Sub(plus, minus));
    k[0] = hn::Add(k[0], even);
    k[1] = hn::MulAdd(odd, hn::Set(d, p), k[1]);
    k[2] = hn::MulAdd(even, hn::Set(d, p * p), k[2]);
    k[3] = hn::MulAdd(odd, hn::Set(d, p * p * p), k[3]);
    k[4] = hn::MulAdd(even, hn::Set(d, p * p * p * p), k[4]);
  };
  add(1.0F, -2.0F / 9, u[1], u[2]);
  add(2.0F, 1.0F / 90, u[3], u[4]);
  add(0.5F, 32.0F / 45, u[5], u[6]);
  k[0] = hn::Add(k[0], u[0]);
  k[4] = hn::Add(k[4], u[7]);
}

// B' of 8 values.
HWY_INLINE void input_points(const Vector* x, Vector* v) {
  const Floats d;
  const auto c = [&](double value) { return hn::Set(d, static_cast<float>(value)); };
  v[0] = hn::MulAdd(c(5.25), hn::Sub(x[4], x[2]), hn::Sub(x[0], x[6]));
  v[7] = hn::MulAdd(c(5.25), hn::Sub(x[3], x[5]), hn::Sub(x[7], x[1]));
  const auto pair = [&](Vector even, Vector odd, Vector& plus, Vector& minus) {
    plus = hn::Add(even, odd);
    minus = hn::Sub(even, odd);
  };
  pair(hn::NegMulAdd(c(4.25), x[4], hn::Add(x[2], x[6])), hn::NegMulAdd(c(4.25), x[3], hn::Add(x[1], x[5])),
       v[1], v[2]);
  pair(hn::MulAdd(c(0.25), x[2], hn::NegMulAdd(c(1.25), x[4], x[6])),
       hn::MulAdd(c(0.5), x[1], hn::NegMulAdd(c(2.5), x[3], hn::Add(x[5], x[5]))), v[3], v[4]);
  pair(hn::MulAdd(c(4), x[2], hn::NegMulAdd(c(5), x[4], x[6])),
       hn::MulAdd(c(0.5), x[5], hn::NegMulAdd(c(2.5), x[3], hn::Add(x[1], x[1]))), v[5], v[6]);
}

// A' of 8 values: 4 outputs.
HWY_INLINE void outputs(const Vector* m, Vector* y) {
  const Floats d;
  const auto c = [&](float value) { return hn::Set(d, value); };
  const auto even1 = hn::Add(m[1], m[2]), odd1 = hn::Sub(m[1], m[2]), even2 = hn::Add(m[3], m[4]),
             odd2 = hn::Sub(m[3], m[4]), even3 = hn::Add(m[5], m[6]), odd3 = hn::Sub(m[5], m[6]);
  y[0] = hn::Add(hn::Add(m[0], even1), hn::Add(even2, even3));
  y[1] = hn::MulAdd(c(2), odd2, hn::MulAdd(c(0.5), odd3, odd1));
  y[2] = hn::MulAdd(c(4), even2, hn::MulAdd(c(0.25), even3, even1));
  y[3] = hn::MulAdd(c(8), odd2, hn::MulAdd(c(0.125), odd3, hn::Add(odd1, m[7])));
}

// A of 4 values.
HWY_INLINE void output_points(const Vector* y, Vector* m) {
  const Floats d;
  const auto c = [&](float value) { return hn::Set(d, value); };
  const auto pair = [&](Vector even, Vector odd, Vector& plus, Vector& minus) {
    plus = hn::Add(even, odd);
    minus = hn::Sub(even, odd);
  };
  m[0] = y[0];
  pair(hn::Add(y[0], y[2]), hn::Add(y[1], y[3]), m[1], m[2]);
  pair(hn::MulAdd(c(4), y[2], y[0]), hn::MulAdd(c(8), y[3], hn::Add(y[1], y[1])), m[3], m[4]);
  pair(hn::MulAdd(c(0.25), y[2], y[0]), hn::MulAdd(c(0.125), y[3], hn::Mul(c(0.5), y[1])), m[5], m[6]);
  m[7] = y[3];
}

// Calls body(0) ... body(Count - 1) with numbers known at compile time, so that what they index stays in
// registers.
template <int Count, typename Body>
HWY_INLINE void unrolled(const Body& body) {
  [&]<int... I>(std::integer_sequence<int, I...>) {
    (body(std::integral_constant<int, I>()), ...);
  }
  (std::make_integer_sequence<int, Count>());
}

// One-dimensional transforms From -> To along both sides of a square: from(y, x) gives its values,
// to(y, x, value) takes the result's.
template <int From, int To, typename Transform, typename Read, typename Write>
HWY_INLINE void both_sides(const Transform& transform, const Read& from, const Write& to) {
  Vector half[To][From];
  for (int x = 0; x < From; ++x) {
    Vector column[From], result[To];
    unrolled<From>([&](auto y) { column[y] = from(y, x); });
    transform(column, result);
    unrolled<To>([&](auto y) { half[y][x] = result[y]; });
  }
  for (int y = 0; y < To; ++y) {
    Vector result[To];
    transform(half[y], result);
    unrolled<To>([&](auto x) { to(y, x, result[x]); });
  }
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
