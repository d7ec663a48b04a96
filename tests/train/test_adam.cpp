#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/sparse/structured.h>
#include <lucivox/train/adam.h>

namespace lucivox {
namespace {

void set_gradients(const Weights& network, uint64_t seed) {
  torch::manual_seed(seed);
  for (const auto& [name, weight] : network.parameters()) weight.mutable_grad() = torch::randn_like(weight);
}

Weights small_weights(c10::Device device, int64_t growth = 2) {
  Weights weights(ddnet({.growth = growth}), 1);
  weights.to(device);
  return weights;
}

// libtorch's own optimiser is the independent truth.
void expect_libtorchs_steps(double beta2, c10::Device device) {
  Weights mine = small_weights(device), theirs = small_weights(device);
  Adam adam(mine, beta2);
  adam.set_learning_rate(1e-3);
  std::vector<at::Tensor> weights;
  for (const auto& [name, weight] : theirs.parameters()) weights.push_back(weight);
  torch::optim::Adam reference(weights, torch::optim::AdamOptions(1e-3).betas({0.9, beta2}));
  for (uint64_t i = 0; i < 5; ++i) {
    set_gradients(mine, i);
    set_gradients(theirs, i);
    adam.step();
    reference.step();
  }
  // two ulps of a norm's weight, which is about 1
  for (const auto& [name, weight] : mine.parameters())
    EXPECT_LT(largest_difference(weight, theirs.weight(name)), 2.5e-7) << name << ", beta2 " << beta2;
}

TEST(Adam, StepsAsLibtorchsDoes) {
  on_every_device([](c10::Device device) {
    expect_libtorchs_steps(0.999, device);
    expect_libtorchs_steps(0.99, device);
  });
}

TEST(Adam, MovesNoPrunedWeight) {
  on_every_device([](c10::Device device) {
    const Weights network = small_weights(device, 4);
    Adam adam(network);
    adam.set_learning_rate(1e-2);
    set_gradients(network, 1);
    adam.step();
    const Masks masks = structured_masks(network, 0.5);
    apply_masks(masks, network);
    adam.apply(masks);
    for (uint64_t i = 0; i < 5; ++i) {
      set_gradients(network, i);
      mask_gradients(masks, network);
      adam.step();
    }
    for (const auto& [name, mask] : masks) {
      EXPECT_EQ((network.weight(name) * (1 - mask)).abs().max().item<double>(), 0) << name;
      EXPECT_GT((network.weight(name) * mask).abs().max().item<double>(), 0) << name;
    }
  });
}

TEST(Adam, SkippedStepLeavesEverythingAsItWas) {
  on_every_device([](c10::Device device) {
    const Weights network = small_weights(device), untouched = small_weights(device);
    Adam adam(network), reference(untouched);
    for (Adam* each : {&adam, &reference}) each->set_learning_rate(1e-2);
    set_gradients(network, 1);
    adam.step(torch::ones({}, device));
    for (const auto& [name, weight] : network.state())
      EXPECT_TRUE(at::equal(weight, untouched.weight(name))) << name;
    set_gradients(network, 2);
    set_gradients(untouched, 2);
    adam.step(torch::zeros({}, device));
    reference.step();
    for (const auto& [name, weight] : network.state())
      EXPECT_TRUE(at::equal(weight, untouched.weight(name))) << name;
  });
}

TEST(Adam, RefusesTheStateOfAnotherNetwork) {
  Adam adam(Weights(ddnet({.growth = 2}), 1)), other(Weights(ddnet({.growth = 4}), 1));
  EXPECT_THROW(adam.load_state(other.state()), Error);
  EXPECT_THROW(adam.load_state({}), Error);
}

}  // namespace
}  // namespace lucivox
