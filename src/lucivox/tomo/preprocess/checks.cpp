#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/preprocess/checks.h>

namespace lucivox {
namespace {

bool not_finite(float value) {
  return !(std::abs(value) <= std::numeric_limits<float>::max());
}

// How many values of each step along the first dimension are NaN or infinite.
std::vector<int64_t> count_not_finite(const at::Tensor& values) {
  std::vector<int64_t> counts(static_cast<size_t>(values.size(0)));
  const int64_t plane = values.numel() / values.size(0);
  const float* const all = values.const_data_ptr<float>();
  parallel_for(0, values.size(0), [&](int64_t i) {
    const float* const first = all + i * plane;
    counts[static_cast<size_t>(i)] = std::count_if(first, first + plane, not_finite);
  });
  return counts;
}

std::string position_of_first(const at::Tensor& values) {
  const float* const all = values.const_data_ptr<float>();
  int64_t rest = std::find_if(all, all + values.numel(), not_finite) - all;
  std::vector<int64_t> position;
  for (const int64_t stride : values.strides()) {
    position.push_back(rest / stride);
    rest %= stride;
  }
  return fmt::format("[{}]", fmt::join(position, ", "));
}

}  // namespace

at::Tensor as_finite(const at::Tensor& values, std::string_view what, std::string_view axes) {
  const int64_t dimensions = std::ranges::count(axes, ',') + 1;
  if (!values.defined() || values.dim() != dimensions || values.numel() == 0) {
    throw Error::misuse(
        fmt::format("{} of shape [{}] where [{}] is needed", what,
                    values.defined() ? fmt::format("{}", fmt::join(values.sizes(), ", ")) : "", axes),
        "none of these may be empty; a single view or slice keeps its dimension of 1");
  }
  at::Tensor floats = values.to(at::kCPU, at::kFloat).contiguous();
  int64_t count = 0;
  for (const int64_t in_plane : count_not_finite(floats)) count += in_plane;
  if (count > 0) {
    throw Error(fmt::format("{} of {} values of {} are NaN or infinite, the first at [{}] = {}", count,
                            floats.numel(), what, axes, position_of_first(floats)),
                "repair these pixels or leave these views out; a damaged file often looks like this");
  }
  return floats;
}

void check_window(int64_t size) {
  if (size < 3 || size % 2 == 0) {
    throw Error::misuse(fmt::format("a median over a window of {} pixels", size),
                        "it needs a middle and neighbours: 3, 5, 7, ...");
  }
}

}  // namespace lucivox
