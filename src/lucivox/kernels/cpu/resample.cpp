#include <lucivox/kernels/cpu/resample.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/resample.cpp"
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/arrival-inl.h>
#include <lucivox/kernels/cpu/linear_taps.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// Row y of image n of the output.
void max_pool_row(const Pixels<const float>& x, const Pooling& pooling, const Pixels<float>& y, int64_t n,
                  int64_t row, float* winners) {
  const Floats d;
  const int64_t top = row * pooling.stride - pooling.padding;
  over_vectors(x.channels, [&](int64_t c, int64_t channels) {
    for (int64_t column = 0; column < y.columns; ++column) {
      const int64_t left = column * pooling.stride - pooling.padding;
      auto largest = hn::Set(d, -std::numeric_limits<float>::infinity()), winner = hn::Zero(d);
      for (int64_t i = std::max<int64_t>(0, -top); i < std::min(pooling.kernel, x.rows - top); ++i) {
        for (int64_t j = std::max<int64_t>(0, -left); j < std::min(pooling.kernel, x.columns - left); ++j) {
          const auto value = load(x.at(n, top + i, left + j) + c, channels);
          const auto larger = hn::Gt(value, largest);
          largest = hn::IfThenElse(larger, value, largest);
          winner = hn::IfThenElse(larger, hn::Set(d, static_cast<float>(i * pooling.kernel + j)), winner);
        }
      }
      store(largest, y.at(n, row, column) + c, channels);
      store(winner, winners + ((n * y.rows + row) * y.columns + column) * y.channels + c, channels);
    }
  });
}

// Row `row` of image n of the input: gathers from the windows that each pixel lies in.
void max_pool_gradient_row(const Pixels<const float>& dy, const Pooling& pooling, const float* winners,
                           const Arrival& arrival, const Pixels<float>& dx, int64_t n, int64_t row) {
  const Floats d;
  const auto first_window = [&](int64_t at) {
    return std::max<int64_t>(0, (at + pooling.padding - pooling.kernel) / pooling.stride +
                                    (at + pooling.padding >= pooling.kernel));
  };
  const int64_t above = first_window(row),
                below = std::min(dy.rows - 1, (row + pooling.padding) / pooling.stride);
  over_vectors(dx.channels, [&](int64_t c, int64_t channels) {
    const ArrivingChannels to(arrival, dx, c, channels);
    for (int64_t column = 0; column < dx.columns; ++column) {
      auto sum = hn::Zero(d);
      const int64_t right = std::min(dy.columns - 1, (column + pooling.padding) / pooling.stride);
      for (int64_t i = above; i <= below; ++i) {
        for (int64_t j = first_window(column); j <= right; ++j) {
          const int64_t tap = (row + pooling.padding - i * pooling.stride) * pooling.kernel + column +
                              pooling.padding - j * pooling.stride;
          const auto winner =
              load(winners + ((n * dy.rows + i) * dy.columns + j) * dy.channels + c, channels);
          const auto won = hn::Eq(winner, hn::Set(d, static_cast<float>(tap)));
          sum = hn::Add(sum, hn::IfThenElseZero(won, load(dy.at(n, i, j) + c, channels)));
        }
      }
      const int64_t pixel = (n * dx.rows + row) * dx.columns + column;
      to.put(pixel, to.x(pixel), sum);
    }
  });
}

void upsample_row(const Pixels<const float>& x, const LinearTaps& down, const LinearTaps& across,
                  const Pixels<float>& y, int64_t n, int64_t row) {
  const auto& vertical = down.of[static_cast<size_t>(row)];
  over_vectors(x.channels, [&](int64_t c, int64_t channels) {
    const Floats d;
    const auto lower = hn::Set(d, vertical.weight);
    for (int64_t column = 0; column < y.columns; ++column) {
      const auto& horizontal = across.of[static_cast<size_t>(column)];
      const auto between = [&](int64_t from) {
        const auto left = load(x.at(n, from, horizontal.first) + c, channels),
                   right = load(x.at(n, from, horizontal.second) + c, channels);
        return hn::MulAdd(hn::Set(d, horizontal.weight), hn::Sub(right, left), left);
      };
      const auto top = between(vertical.first), bottom = between(vertical.second);
      store(hn::MulAdd(lower, hn::Sub(bottom, top), top), y.at(n, row, column) + c, channels);
    }
  });
}

// Row `row` of image n of the input: gathers from the outputs that read it.
void upsample_gradient_row(const Pixels<const float>& dy, const std::vector<Readers>& down,
                           const std::vector<Readers>& across, const Arrival& arrival,
                           const Pixels<float>& dx, int64_t n, int64_t row) {
  over_vectors(dx.channels, [&](int64_t c, int64_t channels) {
    const Floats d;
    const ArrivingChannels to(arrival, dx, c, channels);
    for (int64_t column = 0; column < dx.columns; ++column) {
      auto sum = hn::Zero(d);
      for (const auto& [i, vertical] : down[static_cast<size_t>(row)]) {
        for (const auto& [j, horizontal] : across[static_cast<size_t>(column)])
          sum = hn::MulAdd(hn::Set(d, vertical * horizontal), load(dy.at(n, i, j) + c, channels), sum);
      }
      const int64_t pixel = (n * dx.rows + row) * dx.columns + column;
      to.put(pixel, to.x(pixel), sum);
    }
  });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(max_pool_row);
HWY_EXPORT(max_pool_gradient_row);
HWY_EXPORT(upsample_row);
HWY_EXPORT(upsample_gradient_row);

namespace {

// body(n, row) for all rows of all images.
template <typename Float, typename Body>
void over_rows(const Pixels<Float>& image, const Body& body) {
  parallel_for(0, image.images * image.rows, [&](int64_t i) { body(i / image.rows, i % image.rows); });
}

}  // namespace

LinearTaps::LinearTaps(int64_t inputs, int64_t outputs) {
  const double step = outputs > 1 ? static_cast<double>(inputs - 1) / static_cast<double>(outputs - 1) : 0;
  for (int64_t o = 0; o < outputs; ++o) {
    const double at = step * static_cast<double>(o);
    const auto first = std::min(static_cast<int64_t>(at), inputs - 1);
    of.push_back(
        {first, std::min(first + 1, inputs - 1), static_cast<float>(at - static_cast<double>(first))});
  }
}

std::vector<Readers> LinearTaps::readers(int64_t inputs) const {
  std::vector<Readers> of_input(static_cast<size_t>(inputs));
  for (size_t o = 0; o < of.size(); ++o) {
    of_input[static_cast<size_t>(of[o].first)].emplace_back(static_cast<int64_t>(o), 1 - of[o].weight);
    of_input[static_cast<size_t>(of[o].second)].emplace_back(static_cast<int64_t>(o), of[o].weight);
  }
  return of_input;
}

void max_pool(const Pixels<const float>& x, const Pooling& pooling, const Pixels<float>& y, float* winners) {
  over_rows(y, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(max_pool_row)(x, pooling, y, n, row, winners);
  });
}

void max_pool_gradient(const Pixels<const float>& dy, const Pooling& pooling, const float* winners,
                       const Arrival& arrival, const Pixels<float>& dx) {
  over_rows(dx, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(max_pool_gradient_row)(dy, pooling, winners, arrival, dx, n, row);
  });
}

void upsample(const Pixels<const float>& x, const Pixels<float>& y) {
  const LinearTaps down(x.rows, y.rows), across(x.columns, y.columns);
  over_rows(y, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(upsample_row)(x, down, across, y, n, row);
  });
}

void upsample_gradient(const Pixels<const float>& dy, const Arrival& arrival, const Pixels<float>& dx) {
  const auto down = LinearTaps(dx.rows, dy.rows).readers(dx.rows),
             across = LinearTaps(dx.columns, dy.columns).readers(dx.columns);
  over_rows(dx, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(upsample_gradient_row)(dy, down, across, arrival, dx, n, row);
  });
}

}  // namespace lucivox::cpu
#endif
