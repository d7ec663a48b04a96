#include <lucivox/kernels/cpu/similarity.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/similarity.cpp"
#include <algorithm>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/scratch.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(d, i) for i below `count`, whole vectors first, then one by one.
template <typename Body>
HWY_INLINE void along(int64_t count, const Body& body) {
  const hn::ScalableTag<float> whole;
  const auto lanes = static_cast<int64_t>(hn::Lanes(whole));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(whole, i);
  for (; i < count; ++i) body(hn::CappedTag<float, 1>(), i);
}

// y[i] = sum over k of weights[k] * x[i + k * step], for i below `count`.
void correlate(std::span<const float> weights, const float* x, int64_t step, float* y, int64_t count) {
  along(count, [&](auto d, int64_t i) {
    auto sum = hn::Zero(d);
    const float* from = x + i;
    for (const float weight : weights) {
      sum = hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, from), sum);
      from += step;
    }
    hn::StoreU(sum, d, y + i);
  });
}

// The same sums over rows of a, b, a^2 + b^2 and ab: lines [4][columns].
void correlate_products(std::span<const float> weights, const float* a, const float* b, int64_t columns,
                        float* lines) {
  along(columns, [&](auto d, int64_t i) {
    auto of_a = hn::Zero(d), of_b = of_a, of_squares = of_a, of_products = of_a;
    int64_t at = i;
    for (const float weight : weights) {
      const auto w = hn::Set(d, weight), x = hn::LoadU(d, a + at), y = hn::LoadU(d, b + at);
      of_a = hn::MulAdd(w, x, of_a);
      of_b = hn::MulAdd(w, y, of_b);
      of_squares = hn::MulAdd(w, hn::MulAdd(x, x, hn::Mul(y, y)), of_squares);
      of_products = hn::MulAdd(w, hn::Mul(x, y), of_products);
      at += columns;
    }
    hn::StoreU(of_a, d, lines + i);
    hn::StoreU(of_b, d, lines + columns + i);
    hn::StoreU(of_squares, d, lines + 2 * columns + i);
    hn::StoreU(of_products, d, lines + 3 * columns + i);
  });
}

// The factors of one vector of windows, from their means m of a, b, a^2 + b^2 and ab.
template <typename D, typename V = hn::Vec<D>>
struct Factors {
  Factors(D d, const Similarity& kind, const float* m, int64_t stride)
      : a(hn::LoadU(d, m)),
        b(hn::LoadU(d, m + stride)),
        aa_bb(hn::MulAdd(a, a, hn::Mul(b, b))),
        twice_ab(hn::Mul(hn::Set(d, 2.0F), hn::Mul(a, b))),
        spread(hn::Add(hn::Sub(hn::LoadU(d, m + 2 * stride), aa_bb), hn::Set(d, kind.c2))),
        structure(hn::Div(hn::Add(hn::MulSub(hn::Set(d, 2.0F), hn::LoadU(d, m + 3 * stride), twice_ab),
                                  hn::Set(d, kind.c2)),
                          spread)),
        brightness(hn::Add(aa_bb, hn::Set(d, kind.c1))),
        luminance(kind.luminance ? hn::Div(hn::Add(twice_ab, hn::Set(d, kind.c1)), brightness)
                                 : hn::Set(d, 1.0F)) {}

  V a, b, aa_bb, twice_ab;
  V spread, structure;  // denominator of the latter
  V brightness, luminance;
};

// The sum of the similarities of a row of windows, whose means of the four kinds lie `stride` apart.
float sum_similarity(const Similarity& kind, const float* means, int64_t stride, int64_t count) {
  const hn::ScalableTag<float> whole;
  auto sum = hn::Zero(whole);
  float rest = 0;
  along(count, [&](auto d, int64_t i) {
    const Factors f(d, kind, means + i, stride);
    const auto value = hn::Mul(f.luminance, f.structure);
    if constexpr (hn::MaxLanes(decltype(d)()) == 1) {
      rest += hn::GetLane(value);
    } else {
      sum = hn::Add(sum, value);
    }
  });
  return hn::GetLane(hn::SumOfLanes(whole, sum)) + rest;
}

// `weight` times the derivatives of a row of windows' similarities with respect to their four means.
void derivatives(const Similarity& kind, const float* means, int64_t stride, float weight, float* to,
                 int64_t count) {
  along(count, [&](auto d, int64_t i) {
    const Factors f(d, kind, means + i, stride);
    const auto w = hn::Set(d, weight), two = hn::Set(d, 2.0F);
    // d structure = (2 dab - d(a^2 + b^2) s + 2 (a s - b) da + 2 (b s - a) db) / spread
    const auto per_spread = hn::Div(hn::Mul(w, f.luminance), f.spread);
    auto da = hn::Mul(hn::Mul(two, per_spread), hn::MulSub(f.a, f.structure, f.b)),
         db = hn::Mul(hn::Mul(two, per_spread), hn::MulSub(f.b, f.structure, f.a));
    if (kind.luminance) {
      // d luminance = (2 (b - a l) da + 2 (a - b l) db) / brightness
      const auto per_brightness = hn::Mul(two, hn::Div(hn::Mul(w, f.structure), f.brightness));
      da = hn::MulAdd(per_brightness, hn::NegMulAdd(f.a, f.luminance, f.b), da);
      db = hn::MulAdd(per_brightness, hn::NegMulAdd(f.b, f.luminance, f.a), db);
    }
    hn::StoreU(da, d, to + i);
    hn::StoreU(db, d, to + stride + i);
    hn::StoreU(hn::Neg(hn::Mul(per_spread, f.structure)), d, to + 2 * stride + i);
    hn::StoreU(hn::Mul(two, per_spread), d, to + 3 * stride + i);
  });
}

// A row of the gradients from what arrives there for a, b, a^2 + b^2 and ab: lines [4][columns].
void combine(const float* lines, const float* a, const float* b, int64_t columns, float* da, float* db) {
  along(columns, [&](auto d, int64_t i) {
    const auto squares = hn::Mul(hn::Set(d, 2.0F), hn::LoadU(d, lines + 2 * columns + i)),
               products = hn::LoadU(d, lines + 3 * columns + i), x = hn::LoadU(d, a + i),
               y = hn::LoadU(d, b + i);
    hn::StoreU(hn::MulAdd(squares, x, hn::MulAdd(products, y, hn::LoadU(d, lines + i))), d, da + i);
    hn::StoreU(hn::MulAdd(squares, y, hn::MulAdd(products, x, hn::LoadU(d, lines + columns + i))), d, db + i);
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(correlate);
HWY_EXPORT(correlate_products);
HWY_EXPORT(sum_similarity);
HWY_EXPORT(derivatives);
HWY_EXPORT(combine);

namespace {

constexpr int64_t kMeans = 4;  // of a, b, a^2 + b^2, ab

// The windows of a set of images.
struct Windows {
  Windows(const SimilarImages& size, const Similarity& kind)
      : rows(size.rows - std::ssize(kind.vertical) + 1),
        columns(size.columns - std::ssize(kind.horizontal) + 1),
        all(size.images * rows * columns) {}

  double of_image() const { return static_cast<double>(rows) * static_cast<double>(columns); }

  int64_t rows, columns, all;
};

}  // namespace

void similarity(const SimilarImages& size, const Similarity& kind, const float* a, const float* b,
                float* means, double* similarity) {
  const Windows windows(size, kind);
  std::vector<double> of_row(static_cast<size_t>(size.images * windows.rows));
  parallel_for(0, size.images * windows.rows, [&](int64_t row) {
    const int64_t first = (row / windows.rows * size.rows + row % windows.rows) * size.columns;
    float* lines = thread_scratch<Scratch::Blocks>(static_cast<size_t>(kMeans * size.columns));
    HWY_DYNAMIC_DISPATCH(correlate_products)(kind.vertical, a + first, b + first, size.columns, lines);
    float* to = means + row * windows.columns;
    for (int64_t m = 0; m < kMeans; ++m) HWY_DYNAMIC_DISPATCH(correlate)
    (kind.horizontal, lines + m * size.columns, 1, to + m * windows.all, windows.columns);
    of_row[static_cast<size_t>(row)] =
        static_cast<double>(HWY_DYNAMIC_DISPATCH(sum_similarity)(kind, to, windows.all, windows.columns));
  });
  for (int64_t image = 0; image < size.images; ++image) {
    similarity[image] = 0;
    for (int64_t row = image * windows.rows; row < (image + 1) * windows.rows; ++row)
      similarity[image] += of_row[static_cast<size_t>(row)];
    similarity[image] /= windows.of_image();
  }
}

void similarity_gradient(const SimilarImages& size, const Similarity& kind, const float* a, const float* b,
                         const float* means, const double* weight, float* da, float* db) {
  const Windows windows(size, kind);
  float* gradients = thread_scratch<Scratch::Shared>(static_cast<size_t>(kMeans * windows.all));
  parallel_for(0, size.images * windows.rows, [&](int64_t row) {
    const double share = weight[row / windows.rows] / windows.of_image();
    HWY_DYNAMIC_DISPATCH(derivatives)
    (kind, means + row * windows.columns, windows.all, static_cast<float>(share),
     gradients + row * windows.columns, windows.columns);
  });
  const int64_t v = std::ssize(kind.vertical), h = std::ssize(kind.horizontal),
                padded = windows.columns + 2 * (h - 1);
  const std::vector<float> across(kind.horizontal.rbegin(), kind.horizontal.rend()),
      down(kind.vertical.rbegin(), kind.vertical.rend());
  parallel_for(0, size.images * size.rows, [&](int64_t row) {
    // Row y of an image is in the windows of rows y - v + 1 .. y, as far as there are such.
    const int64_t image = row / size.rows, y = row % size.rows;
    const int64_t begin = std::max<int64_t>(y - v + 1, 0), end = std::min(y + 1, windows.rows);
    const std::span<const float> met(down.data() + (begin - (y - v + 1)), static_cast<size_t>(end - begin));
    float* line = thread_scratch<Scratch::Blocks>(static_cast<size_t>(padded + kMeans * size.columns));
    float* lines = line + padded;
    std::fill_n(line, padded, 0.0F);  // zeros on both sides
    for (int64_t m = 0; m < kMeans; ++m) {
      const float* from = gradients + m * windows.all + (image * windows.rows + begin) * windows.columns;
      HWY_DYNAMIC_DISPATCH(correlate)(met, from, windows.columns, line + h - 1, windows.columns);
      HWY_DYNAMIC_DISPATCH(correlate)(across, line, 1, lines + m * size.columns, size.columns);
    }
    const int64_t first = row * size.columns;
    HWY_DYNAMIC_DISPATCH(combine)(lines, a + first, b + first, size.columns, da + first, db + first);
  });
}

}  // namespace lucivox::cpu
#endif
