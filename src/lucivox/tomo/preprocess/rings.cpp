#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/preprocess/checks.h>
#include <lucivox/tomo/preprocess/rings.h>
#include <lucivox/tomo/preprocess/wavelet.h>

namespace lucivox {
namespace {

// An axis of `size`, continued by its mirror image on both sides. The wavelet transform takes signals for
// periodic: the jump from their end to their beginning falls into these margins.
struct Margins {
  int64_t before, size, padded;
};

// At the deepest level a margin is five coefficients wide, half a filter. Every level halves the length.
Margins margins_of(int64_t size, int64_t levels) {
  const int64_t unit = int64_t{1} << levels, before = 5 * unit;
  return {before, size, (size + 2 * before + unit - 1) / unit * unit};
}

at::Tensor mirrored_indices(const Margins& axis) {
  at::Tensor indices = at::empty({axis.padded}, at::kLong);
  int64_t* const index = indices.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < axis.padded; ++i) {
    const int64_t period = 2 * axis.size;
    const int64_t phase = ((i - axis.before) % period + period) % period;
    index[i] = phase < axis.size ? phase : period - 1 - phase;
  }
  return indices;
}

// Damps what changes by less than about `sigma` cycles over the rows, [N, M].
at::Tensor damp(const at::Tensor& band, double sigma_cycles) {
  const at::Tensor spectrum = at::fft_rfft(band, std::nullopt, 0);
  const at::Tensor cycles = at::arange(spectrum.size(0), at::kFloat).unsqueeze(1);
  const at::Tensor gain = 1 - at::exp(cycles.square() * (-0.5 / (sigma_cycles * sigma_cycles)));
  return at::fft_irfft(spectrum * gain, band.size(0), 0);
}

at::Tensor filter_levels(const at::Tensor& image, int64_t levels, double sigma_cycles) {
  if (levels == 0) return image;
  Bands bands = decompose(image);
  bands.vertical = damp(bands.vertical, sigma_cycles);
  bands.smooth = filter_levels(bands.smooth, levels - 1, sigma_cycles);
  return recompose(bands);
}

void check(const WaveletFourier& options, const at::Tensor& sino_SVU) {
  if (!(options.sigma > 0) || !std::isfinite(options.sigma)) {
    throw Error::misuse(fmt::format("a stripe filter with sigma {}", options.sigma),
                        "it is in cycles over all views and must be positive: 1 removes what hardly changes");
  }
  const int64_t smallest = std::min(sino_SVU.size(1), sino_SVU.size(2));
  if (options.levels < 1 || options.levels > 30 || (int64_t{1} << options.levels) > smallest) {
    throw Error::misuse(fmt::format("{} wavelet levels for sinograms of {} x {}", options.levels,
                                    sino_SVU.size(1), sino_SVU.size(2)),
                        "2^levels must be at least 2 and at most the number of views and of columns");
  }
}

// A value and its view in one number, which sorts as they do: a float's bits in its upper half, turned so
// that negative ones come first. One sort of integers is several times as fast as one of indices.
uint64_t sort_key(float value, int64_t view) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t ordered = bits ^ ((bits >> 31) != 0 ? 0xFFFFFFFFU : 0x80000000U);
  return uint64_t{ordered} << 32 | static_cast<uint64_t>(view);
}

// A slice with each column in order of its values: row r holds the r-th smallest of every column, and the
// view that it comes from.
struct SortedColumns {
  std::vector<float> values;
  std::vector<uint32_t> views;
};

SortedColumns sort_columns(const float* sino, int64_t views, int64_t detectors) {
  const auto size = static_cast<size_t>(views * detectors);
  SortedColumns sorted{std::vector<float>(size), std::vector<uint32_t>(size)};
  std::vector<uint64_t> keys(static_cast<size_t>(views));
  for (int64_t u = 0; u < detectors; ++u) {
    for (int64_t v = 0; v < views; ++v) keys[static_cast<size_t>(v)] = sort_key(sino[v * detectors + u], v);
    std::ranges::sort(keys);
    auto place = static_cast<size_t>(u);
    for (const uint64_t key : keys) {
      const auto view = static_cast<uint32_t>(key);
      sorted.values[place] = sino[view * detectors + u];
      sorted.views[place] = view;
      place += static_cast<size_t>(detectors);
    }
  }
  return sorted;
}

// The median of the values from i - width / 2 to i + width / 2, as far as they exist, for each i of a row.
void running_medians(const float* row, int64_t count, int64_t width, float* medians) {
  std::vector<float> window;  // in order
  const int64_t reach = width / 2;
  for (int64_t entering = 0; entering < count + reach; ++entering) {
    if (entering < count) window.insert(std::ranges::upper_bound(window, row[entering]), row[entering]);
    if (entering >= width) window.erase(std::ranges::lower_bound(window, row[entering - width]));
    if (entering >= reach) medians[entering - reach] = window[window.size() / 2];
  }
}

void sort_and_smooth(const float* sino, float* cleaned, int64_t views, int64_t detectors, int64_t width) {
  const SortedColumns sorted = sort_columns(sino, views, detectors);
  std::vector<float> smooth(static_cast<size_t>(detectors));
  for (int64_t r = 0; r < views; ++r) {
    running_medians(&sorted.values[static_cast<size_t>(r * detectors)], detectors, width, smooth.data());
    const uint32_t* const origin = &sorted.views[static_cast<size_t>(r * detectors)];
    for (int64_t u = 0; u < detectors; ++u) {
      cleaned[origin[u] * detectors + u] = smooth[static_cast<size_t>(u)];
    }
  }
}

}  // namespace

at::Tensor remove_stripes_wavelet_fourier(const at::Tensor& sino_SVU, const WaveletFourier& options) {
  const at::Tensor sino = as_finite(sino_SVU, "the sinograms", "S, V, U");
  check(options, sino);
  const Margins views = margins_of(sino.size(1), options.levels),
                detectors = margins_of(sino.size(2), options.levels);
  const at::Tensor rows = mirrored_indices(views), columns = mirrored_indices(detectors);
  const double sigma = options.sigma * static_cast<double>(views.padded) / static_cast<double>(views.size);
  at::Tensor cleaned = at::empty_like(sino);
  parallel_for(0, sino.size(0), [&](int64_t s) {
    const at::Tensor padded = sino[s].index_select(0, rows).index_select(1, columns);
    const at::Tensor filtered = filter_levels(padded, options.levels, sigma);
    cleaned[s].copy_(
        filtered.narrow(0, views.before, views.size).narrow(1, detectors.before, detectors.size));
  });
  return cleaned;
}

at::Tensor remove_stripes_sorting(const at::Tensor& sino_SVU, int64_t width) {
  check_window(width);
  const at::Tensor sino = as_finite(sino_SVU, "the sinograms", "S, V, U");
  at::Tensor cleaned = at::empty_like(sino);
  const int64_t views = sino.size(1), detectors = sino.size(2);
  const float* const in = sino.const_data_ptr<float>();
  float* const out = cleaned.mutable_data_ptr<float>();
  parallel_for(0, sino.size(0), [&](int64_t s) {
    sort_and_smooth(in + s * views * detectors, out + s * views * detectors, views, detectors, width);
  });
  return cleaned;
}

}  // namespace lucivox
