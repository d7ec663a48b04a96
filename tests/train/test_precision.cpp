#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/precision.h>

namespace lucivox {
namespace {

struct Gradients {
  double loss;
  at::Tensor all;  // of all parameters, one behind the other
};

Gradients gradients_in(const std::string& precision, c10::Device device, double scale = 1) {
  Network network(ddnet({.growth = 4}), 7);
  network.weights().to(device);
  compute_in(precision, network);
  torch::manual_seed(1);
  const at::Tensor full = torch::rand({2, 1, 32, 32}), low = full + 0.05 * torch::randn({2, 1, 32, 32});
  const at::Tensor output = network.forward(low.to(device), Mode::Evaluation);
  const at::Tensor loss = image_loss(output, full.to(device), {}).total;
  EXPECT_EQ(loss.scalar_type(), at::kFloat);
  (scale * loss).backward();
  std::vector<at::Tensor> all;
  for (const auto& [name, weight] : network.weights().parameters()) {
    EXPECT_EQ(weight.scalar_type(), at::kFloat) << name;
    EXPECT_EQ(weight.grad().scalar_type(), at::kFloat) << name;
    all.push_back(weight.grad().flatten() / scale);
  }
  return {loss.item<double>(), at::cat(all)};
}

// 8 bits of mantissa give a relative error of 2^-9 a rounding. In training mode batch norms would divide what
// a fresh network computes by its own tiny deviations, and rounding with it: float32 itself is off by 1e-2
// there.
TEST(Precision, MixedGradientsAreFloat32OnesRounded) {
  on_every_device([](c10::Device device) {
    const Gradients exact = gradients_in("fp32", device);
    for (const std::string precision : {"bf16", "fp16"}) {
      const Gradients mixed = gradients_in(precision, device, precision == "fp16" ? 65536 : 1);
      EXPECT_NEAR(mixed.loss / exact.loss, 1, 0.02) << precision;
      EXPECT_LT(relative_difference(mixed.all, exact.all), 0.05) << precision;
      EXPECT_GT(relative_difference(mixed.all, exact.all), 1e-5)
          << precision << " computed in float32 after all?";
    }
  });
}

TEST(Precision, RefusesWhatTheDeviceCannot) {
  Network network(ddnet({.growth = 2}), 1);
  EXPECT_THROW(compute_in("tf32", network), Error);
  EXPECT_THROW(compute_in("fp8", network), Error);
}

TEST(LossScale, IsTakenOffAgain) {
  on_every_device([](c10::Device device) {
    LossScale scale(device);
    std::vector<at::Tensor> gradients{scale.scaled(torch::tensor({0.25F, -3.0F}, device))};
    scale.unscale(gradients);
    EXPECT_TRUE(at::equal(gradients[0].cpu(), torch::tensor({0.25F, -3.0F})));
    EXPECT_EQ(scale.overflowed().item<float>(), 0);
  });
}

TEST(LossScale, IsHalvedByAnOverflowAndDoubledByManyGoodSteps) {
  on_every_device([](c10::Device device) {
    LossScale scale(device);
    const auto step = [&](float gradient) {
      std::vector<at::Tensor> gradients{torch::tensor({gradient}, device)};
      scale.unscale(gradients);
      scale.update();
    };
    for (const float bad : {INFINITY, -INFINITY, NAN}) step(bad);
    EXPECT_EQ(scale.value(), 65536.0 / 8);
    EXPECT_EQ(scale.skipped(), 3);
    for (int i = 0; i < 1999; ++i) step(1);
    EXPECT_EQ(scale.value(), 65536.0 / 8);
    step(1);
    EXPECT_EQ(scale.value(), 65536.0 / 4);
    EXPECT_EQ(scale.skipped(), 3);
  });
}

TEST(LossScale, SurvivesACheckpoint) {
  on_every_device([](c10::Device device) {
    LossScale before(device), after(device);
    std::vector<at::Tensor> gradients{torch::tensor({INFINITY}, device)};
    before.unscale(gradients);
    before.update();
    after.load_state(before.state());
    EXPECT_EQ(after.value(), before.value());
    EXPECT_EQ(after.skipped(), 1);
    EXPECT_THROW(after.load_state({}), Error);
  });
}

}  // namespace
}  // namespace lucivox
