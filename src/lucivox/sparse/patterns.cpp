#include <algorithm>
#include <cstdlib>
#include <tuple>

#include <ATen/ATen.h>

#include <lucivox/sparse/patterns.h>

namespace lucivox {
namespace {

struct Tap {
  int64_t row, column;
};

// One tap of every pair that mirrors at the centre, nearest to the upper left corner first.
std::vector<Tap> taps_from_corner(int64_t kernel) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < kernel * kernel / 2; ++i) taps.push_back({i / kernel, i % kernel});
  const auto order = [kernel](const Tap& tap) {
    const int64_t diagonal = tap.row + tap.column;
    return std::tuple(std::min(diagonal, 2 * (kernel - 1) - diagonal), std::abs(tap.row - tap.column));
  };
  std::stable_sort(taps.begin(), taps.end(), [&](const Tap& a, const Tap& b) { return order(a) < order(b); });
  return taps;
}

}  // namespace

at::Tensor corners_mask(const ConvolutionWeight& layer, double amount) {
  const int64_t kernel = layer.convolution.side();
  if (kernel == 1 || layer.weight.dim() != 4 || layer.weight.size(2) != kernel) return {};
  std::vector<Tap> pruned = taps_from_corner(kernel);
  pruned.resize(static_cast<size_t>(share_of(amount / 2, kernel * kernel)));
  at::Tensor mask = at::ones_like(layer.weight);
  for (const auto& [row, column] : pruned) {
    mask.select(3, column).select(2, row).zero_();
    mask.select(3, kernel - 1 - column).select(2, kernel - 1 - row).zero_();
  }
  return mask;
}

at::Tensor two_of_four_mask(const ConvolutionWeight& layer, double) {
  if (layer.weight.size(layer.convolution.channel_dimension()) % 4 != 0) return {};
  const int64_t channels = layer.convolution.channel_dimension();
  // [..., in / 4, 4]
  const at::Tensor groups = layer.weight.abs().transpose(channels, -1).unflatten(-1, {-1, 4});
  const at::Tensor smallest = std::get<1>(groups.sort(true, -1, false)).narrow(-1, 0, 2);  // stable
  return at::ones_like(groups).scatter_(-1, smallest, 0).flatten(-2).transpose(channels, -1).contiguous();
}

}  // namespace lucivox
