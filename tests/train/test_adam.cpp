#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/sparse/structured.h>
#include <lucivox/train/adam.h>

namespace lucivox {
namespace {

void set_gradients(const Network& network, uint64_t seed) {
  torch::manual_seed(seed);
  for (const auto& [name, weight] : network.parameters()) weight.mutable_grad() = torch::randn_like(weight);
}

// libtorch's own optimiser is the independent truth.
TEST(Adam, StepsAsLibtorchsDoes) {
  Network mine(ddnet({.growth = 2}), 1), theirs(ddnet({.growth = 2}), 1);
  Adam adam(mine);
  std::vector<at::Tensor> weights;
  for (const auto& [name, weight] : theirs.parameters()) weights.push_back(weight);
  torch::optim::Adam reference(weights, torch::optim::AdamOptions(1e-3));
  for (uint64_t i = 0; i < 5; ++i) {
    set_gradients(mine, i);
    set_gradients(theirs, i);
    adam.step(1e-3);
    reference.step();
  }
  for (const auto& [name, weight] : mine.parameters())
    EXPECT_LT(largest_difference(weight, theirs.weight(name)), 1e-7) << name;
}

TEST(Adam, MovesNoPrunedWeight) {
  Network network(ddnet({.growth = 4}), 1);
  Adam adam(network);
  set_gradients(network, 1);
  adam.step(1e-2);
  const Masks masks = structured_masks(network, 0.5);
  apply_masks(masks, network);
  adam.apply(masks);
  for (uint64_t i = 0; i < 5; ++i) {
    set_gradients(network, i);
    mask_gradients(masks, network);
    adam.step(1e-2);
  }
  for (const auto& [name, mask] : masks) {
    EXPECT_EQ((network.weight(name) * (1 - mask)).abs().max().item<double>(), 0) << name;
    EXPECT_GT((network.weight(name) * mask).abs().max().item<double>(), 0) << name;
  }
}

TEST(Adam, RefusesTheStateOfAnotherNetwork) {
  Adam adam(Network(ddnet({.growth = 2}), 1)), other(Network(ddnet({.growth = 4}), 1));
  EXPECT_THROW(adam.load_state(other.state()), Error);
  EXPECT_THROW(adam.load_state({}), Error);
}

}  // namespace
}  // namespace lucivox
