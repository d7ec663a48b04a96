#pragma once

#include <algorithm>
#include <cstdint>

#include <hwy/aligned_allocator.h>

namespace lucivox::cpu {

// The projectors work on groups of slices that lie side by side in memory, so that what a ray's geometry
// costs is paid once a group. 16 floats are one cache line, and a whole number of vectors up to AVX-512's.
inline constexpr int64_t kGroup = 16;

// A group's image, sinogram or part of one: zeroed [lines][pixels][kGroup], lines `stride` floats apart.
class GroupArray {
 public:
  // Throws std::bad_alloc.
  GroupArray(int64_t lines, int64_t pixels);

  int64_t stride() const { return stride_; }
  float* line(int64_t l) { return values_.get() + l * stride_; }
  const float* line(int64_t l) const { return values_.get() + l * stride_; }

 private:
  int64_t stride_;
  hwy::AlignedFreeUniquePtr<float[]> values_;
};

// Values of every slice in its own plane: slices, lines and pixels are so many floats apart; lines or pixels
// lie side by side.
struct PlaneStrides {
  int64_t slice, line, pixel;
};

struct GroupPart {
  int64_t lines, pixels, slices;
  int64_t line_stride;  // of the group's array
};

// Calls body(offset in the planes, offset in the group, line, pixel) for every value, in an order that stays
// in the caches on both sides.
template <typename Body>
void over_group(const PlaneStrides& plane, const GroupPart& part, const Body& body) {
  constexpr int64_t block = 16;  // 16 x 16 pixels of 16 slices are 16 kB
  for (int64_t l0 = 0; l0 < part.lines; l0 += block) {
    for (int64_t p0 = 0; p0 < part.pixels; p0 += block) {
      const int64_t l1 = std::min(l0 + block, part.lines), p1 = std::min(p0 + block, part.pixels);
      for (int64_t s = 0; s < part.slices; ++s) {
        const auto value = [&](int64_t l, int64_t p) {
          body(s * plane.slice + l * plane.line + p * plane.pixel, l * part.line_stride + p * kGroup + s, l,
               p);
        };
        if (plane.pixel == 1) {
          for (int64_t l = l0; l < l1; ++l) {
            for (int64_t p = p0; p < p1; ++p) value(l, p);
          }
        } else {
          for (int64_t p = p0; p < p1; ++p) {
            for (int64_t l = l0; l < l1; ++l) value(l, p);
          }
        }
      }
    }
  }
}

// Calls group(first slice, slices) for every group of a stack.
template <typename Group>
void over_groups(int64_t slices, const Group& group) {
  for (int64_t s = 0; s < slices; s += kGroup) group(s, std::min(kGroup, slices - s));
}

}  // namespace lucivox::cpu
