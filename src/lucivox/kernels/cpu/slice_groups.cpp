#include <cstring>
#include <new>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/slice_groups.h>

namespace lucivox::cpu {
namespace {

// Cache lines a power of two apart fall on each other in every cache, and images and detectors like to be as
// long as that: rows are an odd multiple of 8 cache lines.
int64_t padded(int64_t pixels) {
  return (pixels + 7) / 16 * 16 + 8;
}

// 4 x 4 values at a time, in vectors that every processor has: memory is what these copies wait for. (Highway
// is not asked, for without its dispatch it knows no vectors on a plain x86-64.)
constexpr int64_t kFour = 4;
using Four = float __attribute__((vector_size(16)));

inline Four load(const float* from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

inline void store(Four four, float* to) {
  std::memcpy(to, &four, sizeof four);
}

// Four vectors `from_stride` floats apart, written crosswise.
inline void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  const Four a = load(from), b = load(from + from_stride), c = load(from + 2 * from_stride),
             d = load(from + 3 * from_stride);
  const Four ab01 = __builtin_shufflevector(a, b, 0, 4, 1, 5),
             ab23 = __builtin_shufflevector(a, b, 2, 6, 3, 7),
             cd01 = __builtin_shufflevector(c, d, 0, 4, 1, 5),
             cd23 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(__builtin_shufflevector(ab01, cd01, 0, 1, 4, 5), to);
  store(__builtin_shufflevector(ab01, cd01, 2, 3, 6, 7), to + to_stride);
  store(__builtin_shufflevector(ab23, cd23, 0, 1, 4, 5), to + 2 * to_stride);
  store(__builtin_shufflevector(ab23, cd23, 2, 3, 6, 7), to + 3 * to_stride);
}

// Calls four(offset in the planes, offset in the group) for every 4 pixels of 4 slices, one(...) for those
// left over, in an order that stays in the caches on both sides.
template <typename FourByFour, typename One>
void over_group(const PlaneStrides& strides, const GroupPart& part, const FourByFour& four, const One& one) {
  constexpr int64_t block = 16;  // 16 x 16 pixels of 16 slices are 16 kB
  const auto piece = [&](int64_t l, int64_t p0, int64_t p1, int64_t s) {
    const int64_t plane = s * strides.slice + l * strides.line, group = l * part.line_stride + s;
    const int64_t in_group = std::min(kFour, part.slices - s);
    int64_t p = p0;
    for (; in_group == kFour && p + kFour <= p1; p += kFour) four(plane + p, group + p * kGroup);
    for (; p < p1; ++p) {
      for (int64_t i = 0; i < in_group; ++i) one(plane + i * strides.slice + p, group + p * kGroup + i);
    }
  };
  for (int64_t l0 = 0; l0 < part.lines; l0 += block) {
    for (int64_t p0 = 0; p0 < part.pixels; p0 += block) {
      const int64_t l1 = std::min(l0 + block, part.lines), p1 = std::min(p0 + block, part.pixels);
      for (int64_t s = 0; s < part.slices; s += kFour) {
        for (int64_t l = l0; l < l1; ++l) piece(l, p0, p1, s);
      }
    }
  }
}

}  // namespace

void to_group(const float* planes, const PlaneStrides& strides, const GroupPart& part, float* group) {
  over_group(
      strides, part,
      [&](int64_t plane, int64_t in_group) {
        transpose(planes + plane, strides.slice, group + in_group, kGroup);
      },
      [&](int64_t plane, int64_t in_group) { group[in_group] = planes[plane]; });
}

void from_group(const float* group, const GroupPart& part, float* planes, const PlaneStrides& strides) {
  over_group(
      strides, part,
      [&](int64_t plane, int64_t in_group) {
        transpose(group + in_group, kGroup, planes + plane, strides.slice);
      },
      [&](int64_t plane, int64_t in_group) { planes[plane] = group[in_group]; });
}

GroupArray::GroupArray(int64_t lines, int64_t pixels)
    : stride_(padded(pixels) * kGroup),
      values_(hwy::AllocateAligned<float>(static_cast<size_t>(lines * stride_))) {
  if (values_ == nullptr) throw std::bad_alloc();
  parallel_for(0, lines, [this](int64_t l) { std::fill_n(line(l), stride_, 0.0F); });
}

}  // namespace lucivox::cpu
