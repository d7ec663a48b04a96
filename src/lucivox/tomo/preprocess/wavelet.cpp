#include <array>
#include <cstdint>
#include <utility>

#include <ATen/ATen.h>

#include <lucivox/tomo/preprocess/wavelet.h>

namespace lucivox {
namespace {

constexpr int64_t kTaps = 10;

// Daubechies' scaling filter with five vanishing moments. Its sum is sqrt(2).
constexpr std::array<double, kTaps> kLow{
    0.160102397974125,  0.603829269797473, 0.724308528438574,  0.138428145901103,  -0.242294887066190,
    -0.032244869585030, 0.077571493840065, -0.006241490213012, -0.012580751999016, 0.003335725285002};

// The wavelet's filter is its quadrature mirror.
constexpr std::array<double, kTaps> kHigh = [] {
  std::array<double, kTaps> high{};
  for (size_t k = 0; k < kTaps; ++k) high[k] = (k % 2 == 0 ? 1 : -1) * kLow[kTaps - 1 - k];
  return high;
}();

// Along axis 0: [2 N, M] -> low and high frequencies, [N, M] each:
// low[i] = sum over k of kLow[k] x[2 i + k], high[i] likewise.
std::pair<at::Tensor, at::Tensor> analyse(const at::Tensor& signal) {
  const at::Tensor x = signal.contiguous();
  const int64_t rows = x.size(0), columns = x.size(1);
  at::Tensor low = at::zeros({rows / 2, columns}, at::kFloat), high = at::zeros_like(low);
  for (int64_t i = 0; i < rows / 2; ++i) {
    float* const l = low.mutable_data_ptr<float>() + i * columns;
    float* const h = high.mutable_data_ptr<float>() + i * columns;
    for (int64_t k = 0; k < kTaps; ++k) {
      const float* const row = x.const_data_ptr<float>() + (2 * i + k) % rows * columns;
      const auto to_low = static_cast<float>(kLow[static_cast<size_t>(k)]);
      const auto to_high = static_cast<float>(kHigh[static_cast<size_t>(k)]);
      for (int64_t m = 0; m < columns; ++m) {
        l[m] += to_low * row[m];
        h[m] += to_high * row[m];
      }
    }
  }
  return {low, high};
}

// The transpose of analyse(), which is its inverse.
at::Tensor synthesise(const at::Tensor& low, const at::Tensor& high) {
  const at::Tensor lows = low.contiguous(), highs = high.contiguous();
  const int64_t rows = 2 * low.size(0), columns = low.size(1);
  at::Tensor x = at::zeros({rows, columns}, at::kFloat);
  for (int64_t i = 0; i < rows / 2; ++i) {
    const float* const l = lows.const_data_ptr<float>() + i * columns;
    const float* const h = highs.const_data_ptr<float>() + i * columns;
    for (int64_t k = 0; k < kTaps; ++k) {
      float* const row = x.mutable_data_ptr<float>() + (2 * i + k) % rows * columns;
      const auto from_low = static_cast<float>(kLow[static_cast<size_t>(k)]);
      const auto from_high = static_cast<float>(kHigh[static_cast<size_t>(k)]);
      for (int64_t m = 0; m < columns; ++m) row[m] += from_low * l[m] + from_high * h[m];
    }
  }
  return x;
}

}  // namespace

Bands decompose(const at::Tensor& image) {
  const auto [low, high] = analyse(image);
  const auto [smooth, vertical] = analyse(low.t());
  const auto [horizontal, diagonal] = analyse(high.t());
  return {smooth.t(), vertical.t(), horizontal.t(), diagonal.t()};
}

at::Tensor recompose(const Bands& bands) {
  return synthesise(synthesise(bands.smooth.t(), bands.vertical.t()).t(),
                    synthesise(bands.horizontal.t(), bands.diagonal.t()).t());
}

}  // namespace lucivox
