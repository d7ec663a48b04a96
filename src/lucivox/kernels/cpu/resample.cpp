#include <lucivox/kernels/cpu/resample.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/resample.cpp"
#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/arrival-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// The largest of a window's taps from (`top`, `left`) to before (`bottom`, `right`), and which tap that is;
// `corner` is where tap (0, 0) is or would be. Counts known at compile time make straight code of the loops.
template <typename Width, typename Kernel, typename From, typename To>
HWY_INLINE auto largest_of(const float* corner, int64_t row_stride, int64_t pixel_stride, Kernel kernel,
                           From top, From left, To bottom, To right, Width width) {
  const Floats d;
  auto largest = hn::Set(d, -std::numeric_limits<float>::infinity()), winner = hn::Zero(d);
  for (int64_t i = top; i < bottom; ++i) {
    for (int64_t j = left; j < right; ++j) {
      const auto value = load(corner + i * row_stride + j * pixel_stride, width);
      const auto larger = hn::Gt(value, largest);
      largest = hn::IfThenElse(larger, value, largest);
      winner = hn::IfThenElse(larger, hn::Set(d, static_cast<float>(i * kernel + j)), winner);
    }
  }
  return std::pair(largest, winner);
}

// Row y of image n of the output.
void max_pool_row(const Pixels<const float>& x, const Pooling& pooling, const Pixels<float>& y, int64_t n,
                  int64_t row, float* winners) {
  constexpr std::integral_constant<int64_t, 0> zero;
  constexpr std::integral_constant<int64_t, 3> three;  // the kernel of all networks here
  const int64_t top = row * pooling.stride - pooling.padding, kernel = pooling.kernel;
  const int64_t row_stride = x.columns * x.stride;
  const int64_t above = std::max<int64_t>(0, -top), below = std::min(kernel, x.rows - top);
  over_vectors(x.channels, [&](int64_t c, auto width) {
    for (int64_t column = 0; column < y.columns; ++column) {
      const int64_t left = column * pooling.stride - pooling.padding;
      const int64_t before = std::max<int64_t>(0, -left), behind = std::min(kernel, x.columns - left);
      const float* corner = x.data + (n * x.rows + top) * row_stride + left * x.stride + c;
      const bool whole = kernel == three && below - above == three && behind - before == three;
      const auto [largest, winner] =
          whole ? largest_of(corner, row_stride, x.stride, three, zero, zero, three, three, width)
                : largest_of(corner, row_stride, x.stride, kernel, above, before, below, behind, width);
      store(largest, y.at(n, row, column) + c, width);
      store(winner, winners + ((n * y.rows + row) * y.columns + column) * y.channels + c, width);
    }
  });
}

// A row of windows that a row of pixels lies in: where its gradients and winners begin, and which tap of the
// first window the first pixel is.
struct WindowRow {
  const float *dy, *winners;
  int64_t tap;
};

// Row `row` of image n of the input: gathers from the windows that each pixel lies in.
void max_pool_gradient_row(const Pixels<const float>& dy, const Pooling& pooling,
                           const std::vector<Windows>& down, const std::vector<Windows>& across,
                           const float* winners, const Arrival& arrival, const Pixels<float>& dx, int64_t n,
                           int64_t row) {
  const Floats d;
  std::vector<WindowRow> rows;
  const auto [first, last] = down[static_cast<size_t>(row)];
  for (int64_t i = first; i < last; ++i) {
    const int64_t tap = (row + pooling.padding - i * pooling.stride) * pooling.kernel + pooling.padding;
    rows.push_back({dy.at(n, i, 0), winners + (n * dy.rows + i) * dy.columns * dy.channels, tap});
  }
  over_vectors(dx.channels, [&](int64_t c, auto width) {
    const ArrivingChannels<decltype(width)> to(arrival, dx, c, width);
    int64_t pixel = (n * dx.rows + row) * dx.columns;
    for (int64_t column = 0; column < dx.columns; ++column, ++pixel) {
      const Windows windows = across[static_cast<size_t>(column)];
      auto sum = hn::Zero(d);
      for (const WindowRow& of : rows) {
        for (int64_t j = windows.first; j < windows.last; ++j) {
          const auto tap = hn::Set(d, static_cast<float>(of.tap + column - j * pooling.stride));
          const auto won = hn::Eq(load(of.winners + j * dy.channels + c, width), tap);
          sum = hn::Add(sum, hn::IfThenElseZero(won, load(of.dy + j * dy.stride + c, width)));
        }
      }
      to.put(pixel, to.x(pixel), sum);
    }
  });
}

void upsample_row(const Pixels<const float>& x, const LinearTaps& down, const LinearTaps& across,
                  const Pixels<float>& y, int64_t n, int64_t row) {
  const auto& vertical = down.of[static_cast<size_t>(row)];
  over_vectors(x.channels, [&](int64_t c, auto width) {
    const Floats d;
    const auto lower = hn::Set(d, vertical.weight);
    for (int64_t column = 0; column < y.columns; ++column) {
      const auto& horizontal = across.of[static_cast<size_t>(column)];
      const auto between = [&](int64_t from) {
        const auto left = load(x.at(n, from, horizontal.first) + c, width),
                   right = load(x.at(n, from, horizontal.second) + c, width);
        return hn::MulAdd(hn::Set(d, horizontal.weight), hn::Sub(right, left), left);
      };
      const auto top = between(vertical.first), bottom = between(vertical.second);
      store(hn::MulAdd(lower, hn::Sub(bottom, top), top), y.at(n, row, column) + c, width);
    }
  });
}

// Row `row` of image n of the input: gathers from the outputs that read it.
void upsample_gradient_row(const Pixels<const float>& dy, const std::vector<Readers>& down,
                           const std::vector<Readers>& across, const Arrival& arrival,
                           const Pixels<float>& dx, int64_t n, int64_t row) {
  over_vectors(dx.channels, [&](int64_t c, auto width) {
    const Floats d;
    const ArrivingChannels<decltype(width)> to(arrival, dx, c, width);
    int64_t pixel = (n * dx.rows + row) * dx.columns;
    for (int64_t column = 0; column < dx.columns; ++column, ++pixel) {
      auto sum = hn::Zero(d);
      for (const auto& [i, vertical] : down[static_cast<size_t>(row)]) {
        const float* from = dy.at(n, i, 0) + c;
        auto along = hn::Zero(d);
        for (const auto& [j, horizontal] : across[static_cast<size_t>(column)])
          along = hn::MulAdd(hn::Set(d, horizontal), load(from + j * dy.stride, width), along);
        sum = hn::MulAdd(hn::Set(d, vertical), along, sum);
      }
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

// Of every pixel along one axis.
std::vector<Windows> windows_of(int64_t inputs, int64_t outputs, const Pooling& p) {
  std::vector<Windows> of(static_cast<size_t>(inputs), {outputs, 0});
  for (int64_t o = 0; o < outputs; ++o) {
    const int64_t begin = o * p.stride - p.padding;
    for (int64_t i = std::max<int64_t>(0, begin); i < std::min(inputs, begin + p.kernel); ++i) {
      Windows& windows = of[static_cast<size_t>(i)];
      windows = {std::min(windows.first, o), o + 1};
    }
  }
  return of;
}

}  // namespace

LinearTaps::LinearTaps(int64_t inputs, int64_t outputs, Grids grids) {
  const auto last = static_cast<double>(inputs - 1);
  const double aligned = outputs > 1 ? last / static_cast<double>(outputs - 1) : 0,
               scaled = static_cast<double>(inputs) / static_cast<double>(outputs);
  for (int64_t o = 0; o < outputs; ++o) {
    const auto pixel = static_cast<double>(o);
    const double at = grids == Grids::AlignedCorners ? aligned * pixel
                                                     : std::clamp(scaled * (pixel + 0.5) - 0.5, 0.0, last);
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
  const auto down = windows_of(dx.rows, dy.rows, pooling),
             across = windows_of(dx.columns, dy.columns, pooling);
  over_rows(dx, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(max_pool_gradient_row)(dy, pooling, down, across, winners, arrival, dx, n, row);
  });
}

void upsample(const Pixels<const float>& x, Grids grids, const Pixels<float>& y) {
  const LinearTaps down(x.rows, y.rows, grids), across(x.columns, y.columns, grids);
  over_rows(y, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(upsample_row)(x, down, across, y, n, row);
  });
}

void upsample_gradient(const Pixels<const float>& dy, Grids grids, const Arrival& arrival,
                       const Pixels<float>& dx) {
  const auto down = LinearTaps(dx.rows, dy.rows, grids).readers(dx.rows),
             across = LinearTaps(dx.columns, dy.columns, grids).readers(dx.columns);
  over_rows(dx, [&](int64_t n, int64_t row) {
    HWY_DYNAMIC_DISPATCH(upsample_gradient_row)(dy, down, across, arrival, dx, n, row);
  });
}

}  // namespace lucivox::cpu
#endif
