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

}  // namespace

GroupArray::GroupArray(int64_t lines, int64_t pixels)
    : stride_(padded(pixels) * kGroup),
      values_(hwy::AllocateAligned<float>(static_cast<size_t>(lines * stride_))) {
  if (values_ == nullptr) throw std::bad_alloc();
  parallel_for(0, lines, [this](int64_t l) { std::fill_n(line(l), stride_, 0.0F); });
}

}  // namespace lucivox::cpu
