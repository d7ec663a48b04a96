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

// Every slice in a plane of its own: slices and lines are so many floats apart, pixels lie side by side.
struct PlaneStrides {
  int64_t slice, line;
};

struct GroupPart {
  int64_t lines, pixels, slices;
  int64_t line_stride;  // of the group's array
};

// Copies between planes and a group. A group that is not full keeps what it has in place of the missing
// slices.
void to_group(const float* planes, const PlaneStrides& strides, const GroupPart& part, float* group);
void from_group(const float* group, const GroupPart& part, float* planes, const PlaneStrides& strides);

// Calls group(first slice, slices) for every group of a stack.
template <typename Group>
void over_groups(int64_t slices, const Group& group) {
  for (int64_t s = 0; s < slices; s += kGroup) group(s, std::min(kGroup, slices - s));
}

}  // namespace lucivox::cpu
