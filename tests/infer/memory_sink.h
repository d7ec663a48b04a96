#pragma once

#include <torch/types.h>

#include <lucivox/image/image.h>

namespace lucivox {

// A sink that keeps what is written; NaN where nothing was.
class MemorySink : public VoxelSink {
 public:
  explicit MemorySink(const std::array<int64_t, 3>& shape)
      : values(torch::full(at::IntArrayRef(shape), NAN)) {}

  void write(const Region& region, const at::Tensor& part) override {
    at::Tensor to = values;
    for (size_t axis = 0; axis < 3; ++axis)
      to = to.narrow(static_cast<int64_t>(axis), region.begin[axis], region.size[axis]);
    to.copy_(part);
  }
  void write_stored(const Region& region, const at::Tensor& part) override { write(region, part); }

  at::Tensor values;
};

}  // namespace lucivox
