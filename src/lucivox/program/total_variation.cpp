#include <cmath>
#include <numbers>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <lucivox/program/total_variation.h>

namespace lucivox {
namespace {

// Differences to the next row and to the next column, 0 at the last ones: the gradient.
at::Tensor forward_difference(const at::Tensor& x, int64_t dimension) {
  at::Tensor d = at::zeros_like(x);
  const int64_t count = x.size(dimension) - 1;
  if (count > 0)
    d.narrow(dimension, 0, count).copy_(x.narrow(dimension, 1, count) - x.narrow(dimension, 0, count));
  return d;
}

// Minus the adjoint of forward_difference, where the last difference is 0: one direction's part of the
// divergence.
at::Tensor backward_difference(const at::Tensor& p, int64_t dimension) {
  at::Tensor d = p.clone();
  const int64_t count = p.size(dimension) - 1;
  if (count > 0) d.narrow(dimension, 1, count).sub_(p.narrow(dimension, 0, count));
  return d;
}

}  // namespace

at::Tensor total_variation(const at::Tensor& image_NYX, double strength, int64_t iterations) {
  constexpr double kStep = 0.125;
  const at::NoGradGuard no_grad;
  at::Tensor down = at::zeros_like(image_NYX), right = at::zeros_like(image_NYX);
  const auto divergence = [&] { return backward_difference(down, 1) + backward_difference(right, 2); };
  for (int64_t i = 0; i < iterations; ++i) {
    const at::Tensor u = divergence() - image_NYX / strength;
    const at::Tensor of_down = forward_difference(u, 1), of_right = forward_difference(u, 2);
    const at::Tensor growth = 1 + kStep * (of_down.square() + of_right.square()).sqrt();
    down = (down + kStep * of_down) / growth;
    right = (right + kStep * of_right) / growth;
  }
  return image_NYX - strength * divergence();
}

BestTotalVariation best_total_variation(const at::Tensor& noisy_NYX, const at::Tensor& truth_NYX) {
  const auto at_strength = [&](double strength) {
    BestTotalVariation result{strength, 0, total_variation(noisy_NYX, strength)};
    result.rmse = (result.denoised - truth_NYX).square().mean().sqrt().item<double>();
    return result;
  };
  // a search by the golden section along the logarithm of the strength, around the noise's own size
  const double noise = (noisy_NYX - truth_NYX).square().mean().sqrt().item<double>();
  constexpr double kGolden = 1 / std::numbers::phi, kWidest = 1.5, kNarrowest = 0.015;  // decades
  double low = std::log10(noise) - kWidest, high = std::log10(noise) + kWidest;
  const auto lower = [&] { return high - kGolden * (high - low); };
  const auto upper = [&] { return low + kGolden * (high - low); };
  BestTotalVariation a = at_strength(std::pow(10, lower())), b = at_strength(std::pow(10, upper()));
  while (high - low > kNarrowest) {
    if (a.rmse < b.rmse) {
      high = upper();
      b = std::exchange(a, at_strength(std::pow(10, lower())));
    } else {
      low = lower();
      a = std::exchange(b, at_strength(std::pow(10, upper())));
    }
  }
  return a.rmse < b.rmse ? a : b;
}

}  // namespace lucivox
