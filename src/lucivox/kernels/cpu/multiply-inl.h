// Small matrix products that stay in registers, for each instruction set; included by kernels alone.

#if defined(LUCIVOX_MULTIPLY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUCIVOX_MULTIPLY_INL_H_
#undef LUCIVOX_MULTIPLY_INL_H_
#else
#define LUCIVOX_MULTIPLY_INL_H_
#endif

#include <algorithm>
#include <type_traits>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

// Numbers rounded up to whole vectors.
inline int64_t whole_vectors(int64_t channels) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  return (channels + lanes - 1) / lanes * lanes;
}

// How many lanes of a vector count: all of them, known at compile time, or a number.
struct WholeVector {};
HWY_INLINE int64_t lanes_of(WholeVector) {
  return static_cast<int64_t>(hn::Lanes(Floats()));
}
HWY_INLINE int64_t lanes_of(int64_t lanes) {
  return lanes;
}

// Calls body(c, width) for every vector of channels; the last may be only partly filled.
template <typename Body>
HWY_INLINE void over_vectors(int64_t channels, const Body& body) {
  const int64_t lanes = lanes_of(WholeVector());
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) body(c, WholeVector());
  if (c < channels) body(c, channels - c);
}

HWY_INLINE hn::Vec<Floats> load(const float* from, WholeVector) {
  return hn::LoadU(Floats(), from);
}
HWY_INLINE void store(hn::Vec<Floats> value, float* to, WholeVector) {
  hn::StoreU(value, Floats(), to);
}

// The first `lanes` from memory, zeros behind them; nothing beyond is touched.
HWY_INLINE hn::Vec<Floats> load(const float* from, int64_t lanes) {
  const Floats d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float values[hn::MaxLanes(d)] = {};
  std::copy_n(from, lanes, values);
  return hn::Load(d, values);
#else
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(lanes)), d, from);
#endif
}
HWY_INLINE void store(hn::Vec<Floats> value, float* to, int64_t lanes) {
  const Floats d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float values[hn::MaxLanes(d)];
  hn::Store(value, d, values);
  std::copy_n(values, lanes, to);
#else
  hn::BlendedStore(value, hn::FirstN(d, static_cast<size_t>(lanes)), d, to);
#endif
}

// The left factor of a product: row r is `segments` runs of `depth` floats, run s at
// data + s * segment_stride + r * stride. Rows may overlap, as those of a convolution do.
struct Rows {
  const float* data;
  int64_t stride, depth, segments, segment_stride;
};

// The right factor of a product: rows of whole vectors of columns, cut into panels of two vectors, the last
// perhaps of one. A panel is contiguous, so that it streams from far away and no two of its rows compete for
// a set of a cache.
template <typename Float>
struct Panels {
  Float* data;
  int64_t rows, columns;

  static int64_t width() { return 2 * lanes_of(WholeVector()); }
  // c: a whole number of vectors
  Float* at(int64_t row, int64_t c) const {
    const int64_t panel = c / width() * width();
    return data + panel * rows + row * std::min(width(), columns - panel) + c - panel;
  }
  // Calls body(c, columns) for every panel: its first column and how many there are.
  template <typename Body>
  HWY_INLINE void each(const Body& body) const {
    for (int64_t c = 0; c < columns; c += width()) body(c, std::min(width(), columns - c));
  }
};

// c[r][o] = sum over k of a[r][k] b[k][o] for Count rows and Vectors vectors of columns, all of panel b; c's
// rows lie c_stride floats apart.
template <size_t Count, size_t Vectors>
HWY_INLINE void multiply_tile(const Rows& a, const float* b, float* c, int64_t c_stride) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<Floats> sum[Count][Vectors];
  for (size_t r = 0; r < Count; ++r) {
    for (size_t v = 0; v < Vectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (int64_t s = 0; s < a.segments; ++s) {
    const float* run = a.data + s * a.segment_stride;
    for (int64_t k = 0; k < a.depth; ++k, b += Vectors * lanes) {
      hn::Vec<Floats> column[Vectors];
      for (size_t v = 0; v < Vectors; ++v) column[v] = hn::LoadU(d, b + v * lanes);
      for (size_t r = 0; r < Count; ++r) {
        const auto value = hn::Set(d, run[static_cast<int64_t>(r) * a.stride + k]);
        for (size_t v = 0; v < Vectors; ++v) sum[r][v] = hn::MulAdd(value, column[v], sum[r][v]);
      }
    }
  }
  for (size_t r = 0; r < Count; ++r) {
    for (size_t v = 0; v < Vectors; ++v)
      hn::StoreU(sum[r][v], d, c + static_cast<int64_t>(r) * c_stride + v * lanes);
  }
}

template <size_t Vectors>
HWY_INLINE void multiply_rows(Rows a, int64_t rows, const float* b, float* c, int64_t c_stride) {
  const auto step = [&](auto count) {
    multiply_tile<count(), Vectors>(a, b, c, c_stride);
    a.data += static_cast<int64_t>(count()) * a.stride;
    c += static_cast<int64_t>(count()) * c_stride;
    rows -= static_cast<int64_t>(count());
  };
  while (rows >= 6) step(std::integral_constant<size_t, 6>());
  if (rows >= 3) step(std::integral_constant<size_t, 3>());
  while (rows >= 1) step(std::integral_constant<size_t, 1>());
}

// c = a b for a panel b of `columns` columns. A fused multiply-add takes 4 cycles and two start in each, so
// at least 8 sums must be under way; AVX2's 16 registers hold 12 of them, 2 columns and a value.
inline void multiply(const Rows& a, int64_t rows, const float* b, int64_t columns, float* c,
                     int64_t c_stride) {
  if (columns == lanes_of(WholeVector())) {
    multiply_rows<1>(a, rows, b, c, c_stride);
  } else {
    multiply_rows<2>(a, rows, b, c, c_stride);
  }
}

// c[i][o] += sum over rows r of a[r][i] b[r][o] for In rows of c and Vectors vectors of columns.
template <size_t In, size_t Vectors>
HWY_INLINE void add_outer_tile(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                               int64_t rows, float* c, int64_t columns) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<Floats> sum[In][Vectors];
  for (size_t i = 0; i < In; ++i) {
    for (size_t v = 0; v < Vectors; ++v) sum[i][v] = hn::Zero(d);
  }
  for (int64_t r = 0; r < rows; ++r, a += a_stride, b += b_stride) {
    hn::Vec<Floats> column[Vectors];
    for (size_t v = 0; v < Vectors; ++v) column[v] = hn::LoadU(d, b + v * lanes);
    for (size_t i = 0; i < In; ++i) {
      const auto value = hn::Set(d, a[i]);
      for (size_t v = 0; v < Vectors; ++v) sum[i][v] = hn::MulAdd(value, column[v], sum[i][v]);
    }
  }
  for (size_t i = 0; i < In; ++i) {
    for (size_t v = 0; v < Vectors; ++v) {
      float* at = c + static_cast<int64_t>(i) * columns + v * lanes;
      hn::StoreU(hn::Add(sum[i][v], hn::LoadU(d, at)), d, at);
    }
  }
}

template <size_t Vectors>
HWY_INLINE void add_outer_columns(const float* a, int64_t a_stride, int64_t in, const float* b,
                                  int64_t b_stride, int64_t rows, float* c, int64_t columns) {
  constexpr size_t kIn = 12 / Vectors;
  const auto step = [&](auto count) {
    add_outer_tile<count(), Vectors>(a, a_stride, b, b_stride, rows, c, columns);
    a += count();
    c += static_cast<int64_t>(count()) * columns;
    in -= static_cast<int64_t>(count());
  };
  // 8 rows are better two fours than six and two single ones
  while (in >= static_cast<int64_t>(kIn) && in != 8) step(std::integral_constant<size_t, kIn>());
  while (in >= 4) step(std::integral_constant<size_t, 4>());
  while (in >= 1) step(std::integral_constant<size_t, 1>());
}

// c += a^T b: a is [rows][in] with rows a_stride floats apart, b [rows][columns] with rows b_stride apart,
// c [in][columns], `columns` a number of whole vectors. Every sum stays in a register for all rows.
inline void add_outer(const float* a, int64_t a_stride, int64_t in, const float* b, int64_t b_stride,
                      int64_t rows, float* c, int64_t columns) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t o = 0;
  for (; o + 2 * lanes <= columns; o += 2 * lanes)
    add_outer_columns<2>(a, a_stride, in, b + o, b_stride, rows, c + o, columns);
  if (o < columns) add_outer_columns<1>(a, a_stride, in, b + o, b_stride, rows, c + o, columns);
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
