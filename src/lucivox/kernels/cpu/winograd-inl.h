// Winograd's minimal filtering F(4x4, 5x5) and F(6x6, 3x3) (Lavin and Gray, 2016): from 8x8 inputs with 64
// multiplications 4x4 outputs of a 5x5 convolution, which take 400, or 6x6 of a 3x3 one, which take 324,
//
//   Y = A' [ (G w G') * (B' d B) ] A,
//
// by interpolation at 0, 1, -1, 2, -2, 1/2, -1/2 and infinity. B' is one for both sizes; A and G give the
// values at these points of polynomials, of as many coefficients as there are outputs and taps. In float32
// what is rounded at the points is magnified 20 times, and the error is 5 (5x5) to 10 times (3x3) that of the
// direct sum. The gradient of w is G' [ (B' d B) * (A dY A') ] G.

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

inline constexpr int kIn = 8, kPoints = kIn * kIn;

template <int Taps>
inline constexpr int kOutputs = kIn + 1 - Taps;

// Calls body with a kernel's number of taps along a side, known at compile time.
template <typename Body>
HWY_INLINE void with_taps(int64_t kernel, const Body& body) {
  if (kernel == 3) {
    body(std::integral_constant<int, 3>());
  } else {
    body(std::integral_constant<int, 5>());
  }
}

using Vector = hn::Vec<Floats>;

// Calls body(0) ... body(Count - 1) with numbers known at compile time, so that what they index stays in
// registers.
template <int Count, typename Body>
HWY_INLINE void unrolled(const Body& body) {
  [&]<int... I>(std::integer_sequence<int, I...>) {
    (body(std::integral_constant<int, I>()), ...);
  }
  (std::make_integer_sequence<int, Count>());
}

// Calls body(p, plus, minus) for the points p and -p, number `plus` and `minus` of the eight.
template <typename Body>
HWY_INLINE void over_pairs(const Body& body) {
  body(1.0F, 1, 2);
  body(2.0F, 3, 4);
  body(0.5F, 5, 6);
}

// k[First] + k[First + 2] x + k[First + 4] x^2 + ..., of Count coefficients.
template <int First, int Count>
HWY_INLINE Vector every_other(const Vector* k, Vector x) {
  if constexpr (First + 2 < Count) {
    return hn::MulAdd(every_other<First + 2, Count>(k, x), x, k[First]);
  } else {
    return k[First];
  }
}

// A: the values at the points of the polynomial with Count coefficients k; at infinity the last of them.
template <int Count>
HWY_INLINE void values_at_points(const Vector* k, Vector* values) {
  const Floats d;
  values[0] = k[0];
  over_pairs([&](float p, int plus, int minus) {
    const auto square = hn::Set(d, p * p), even = every_other<0, Count>(k, square),
               odd = hn::Mul(hn::Set(d, p), every_other<1, Count>(k, square));
    values[plus] = hn::Add(even, odd);
    values[minus] = hn::Sub(even, odd);
  });
  values[kIn - 1] = k[Count - 1];
}

// A', its adjoint.
template <int Count>
HWY_INLINE void sums_over_points(const Vector* m, Vector* y) {
  const Floats d;
  const Vector even[] = {hn::Add(m[1], m[2]), hn::Add(m[3], m[4]), hn::Add(m[5], m[6])},
               odd[] = {hn::Sub(m[1], m[2]), hn::Sub(m[3], m[4]), hn::Sub(m[5], m[6])};
  y[0] = hn::Add(hn::Add(m[0], even[0]), hn::Add(even[1], even[2]));
  unrolled<Count - 1>([&](auto before) {
    constexpr int i = before + 1;
    constexpr float power = 1 << i;  // of the point 2, whose inverse is that of 1/2
    const Vector* of = i % 2 == 0 ? even : odd;
    const auto ends = i < Count - 1 ? of[0] : hn::Add(of[0], m[kIn - 1]);
    y[i] = hn::MulAdd(hn::Set(d, power), of[1], hn::MulAdd(hn::Set(d, 1 / power), of[2], ends));
  });
}

// Each point's value divided by the product of the point's differences from the others.
HWY_INLINE void divide_by_differences(const Vector* from, Vector* to) {
  static constexpr float kFactor[] = {-2.0F / 9, 1.0F / 90, 32.0F / 45};
  to[0] = from[0];
  over_pairs([&](float, int plus, int minus) {
    const auto factor = hn::Set(Floats(), kFactor[plus / 2]);
    to[plus] = hn::Mul(factor, from[plus]);
    to[minus] = hn::Mul(factor, from[minus]);
  });
  to[kIn - 1] = from[kIn - 1];
}

// G of a kernel's values.
template <int Taps>
HWY_INLINE void to_points(const Vector* k, Vector* u) {
  Vector values[kIn];
  values_at_points<Taps>(k, values);
  divide_by_differences(values, u);
}

// G', its adjoint.
template <int Taps>
HWY_INLINE void from_points(const Vector* u, Vector* k) {
  Vector divided[kIn];
  divide_by_differences(u, divided);
  sums_over_points<Taps>(divided, k);
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
