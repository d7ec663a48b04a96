#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/program/total_variation.h>

namespace lucivox {
namespace {

// Of a step across the image, total variation moves each side towards the other by strength / (its width):
// what the smaller jump saves is what the sides' shift costs.
TEST(TotalVariation, MovesTheSidesOfAStepByTheStrengthOverTheirWidth) {
  at::Tensor step = torch::zeros({1, 6, 20});
  step.narrow(2, 5, 15).fill_(100);
  const at::Tensor denoised = total_variation(step, 30, 20000);
  EXPECT_LT((denoised.narrow(2, 0, 5) - 30.0 / 5).abs().max().item<double>(), 0.05);
  EXPECT_LT((denoised.narrow(2, 5, 15) - (100 - 30.0 / 15)).abs().max().item<double>(), 0.05);
}

TEST(TotalVariation, KeepsTheMean) {
  torch::manual_seed(1);
  const at::Tensor noise = torch::randn({2, 16, 16}) + 3;
  EXPECT_NEAR(total_variation(noise, 2).mean().item<double>(), noise.mean().item<double>(), 1e-5);
}

// No strength of a fine sweep does better than the one that is found.
TEST(TotalVariation, FindsItsBestStrength) {
  torch::manual_seed(2);
  at::Tensor truth = torch::zeros({1, 32, 32});
  truth.narrow(1, 8, 16).narrow(2, 8, 16).fill_(100);
  const at::Tensor noisy = truth + 20 * torch::randn_like(truth);
  const BestTotalVariation best = best_total_variation(noisy, truth);
  EXPECT_LT(best.rmse, 20 * 0.6);
  for (double strength = 1; strength < 200; strength *= 1.3) {
    const double rmse = (total_variation(noisy, strength) - truth).square().mean().sqrt().item<double>();
    EXPECT_GT(rmse, 0.99 * best.rmse) << strength;
  }
}

}  // namespace
}  // namespace lucivox
