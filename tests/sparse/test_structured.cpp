#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/sparse/masks.h>
#include <torch/types.h>

#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/sparse/criterion.h>

namespace lucivox {
namespace {

Masks half_of(const Weights& network, const std::string& criterion, const std::string& targets = "both") {
  return pruning_masks(network, {criterion, 0.5, targets}, 1);
}

TEST(StructuredMasks, TakeTheSmallestFiltersWithTheirChannels) {
  const torch::NoGradGuard no_grad;
  Weights network(two_convolutions(), 1);
  for (int64_t f = 0; f < 4; ++f)
    network.weight("a.weight")[f].fill_(std::array{0.3, -0.1, 0.2, 0.4}[static_cast<size_t>(f)]);
  const Masks masks = half_of(network, "filters-l1");
  const at::Tensor kept = torch::tensor({1.0F, 0.0F, 0.0F, 1.0F});
  EXPECT_TRUE(at::equal(mask_of(masks, "a.weight").select(1, 0).select(1, 0).select(1, 0), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "a.bias"), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "norm.weight"), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "norm.bias"), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "b.weight")[0].select(1, 0).select(1, 0), kept));
  EXPECT_FALSE(mask_of(masks, "b.bias").defined()) << "the output's own filter is not free";
}

// 9 weights of 0.1 have sum 0.9 and Euclidean norm 0.3; one of 0.5 has 0.5 and 0.5.
TEST(StructuredMasks, L1AndL2OrderFiltersDifferently) {
  const torch::NoGradGuard no_grad;
  Graph g;
  g.convolution(g.convolution(g.input(1), "a", 2, 3), "b", 1, 1);
  Weights network(g, 1);
  network.weight("a.weight")[0].fill_(0.1);
  network.weight("a.weight")[1].zero_()[0][1][1] = 0.5;
  EXPECT_TRUE(at::equal(mask_of(half_of(network, "filters-l1"), "a.bias"), torch::tensor({1.0F, 0.0F})));
  EXPECT_TRUE(at::equal(mask_of(half_of(network, "filters-l2"), "a.bias"), torch::tensor({0.0F, 1.0F})));
}

// The filters of a say keep 0, the weights of b that read them say keep 1.
TEST(StructuredMasks, ChannelsAreJudgedByWhoReadsThem) {
  const torch::NoGradGuard no_grad;
  Graph g;
  g.convolution(g.transposed_convolution(g.convolution(g.input(1), "a", 2, 3), "b", 2, 3), "c", 1, 1);
  Weights network(g, 1);
  network.weight("a.weight")[0].fill_(1);
  network.weight("a.weight")[1].fill_(0.1);
  network.weight("b.weight")[0].fill_(0.1);  // transposed: [in, out, k, k]
  network.weight("b.weight")[1].fill_(1);
  for (const char* criterion : {"channels-l1", "channels-l2"}) {
    const Masks masks = half_of(network, criterion, "deconvolution");
    EXPECT_TRUE(at::equal(mask_of(masks, "a.bias"), torch::tensor({0.0F, 1.0F}))) << criterion;
    EXPECT_EQ(pruned(mask_of(masks, "b.weight")[0]), 18) << criterion;
    EXPECT_FALSE(mask_of(masks, "c.weight").defined()) << "c is no deconvolution";
  }
}

// Pruned channels must be removable without changing the output: what the masks took must not be seen.
TEST(StructuredMasks, PrunedFiltersNoLongerMatter) {
  const torch::NoGradGuard no_grad;
  on_every_device([](c10::Device device) {
    Weights network(ddnet({.growth = 4}), 1);
    network.to(device);
    const Masks masks = half_of(network, "filters-l1");
    apply_masks(masks, network);
    const at::Tensor x = torch::randn({1, 1, 32, 32}).to(device);
    const auto output = [&] { return Network(network.share()).forward(x, Mode::Evaluation); };
    const at::Tensor before = output();
    for (const auto& [name, mask] : masks) {
      // filters may come back to life as long as the channels that read them are pruned
      if (name.find("conv1_") != std::string::npos && name.ends_with(".bias"))
        network.weight(name).add_(1 - mask);
    }
    EXPECT_TRUE(at::equal(output(), before));
  });
}

// Filters whose output joins a concatenation are tied to others: the 5x5 of the dense blocks and the skips.
TEST(StructuredMasks, LeaveSkipsAlone) {
  for (const char* criterion : {"filters-l1", "channels-l1"}) {
    const Masks masks = half_of(Weights(ddnet(), 1), criterion);
    EXPECT_TRUE(mask_of(masks, "dnet1.conv1_0.weight").defined());
    EXPECT_FALSE(mask_of(masks, "conv1.weight").defined());
    EXPECT_FALSE(mask_of(masks, "dnet1.conv2_0.bias").defined());
    EXPECT_FALSE(mask_of(masks, "convT8.bias").defined());
  }
}

// Half of the 64 filters of each 1x1: 16 * (the 1x1 halves, the 5x5 that read them halve).
TEST(StructuredMasks, SparsityCountsWhatIsZero) {
  on_every_device([](c10::Device device) {
    Weights network(ddnet(), 1);
    network.to(device);
    const Masks masks = half_of(network, "filters-l1");
    apply_masks(masks, network);
    double zero = 0, all = 0;
    for (const auto& [name, weight] : network.parameters()) {
      if (weight.dim() != 4) continue;
      zero += (weight == 0).sum().item<double>();
      all += static_cast<double>(weight.numel());
    }
    EXPECT_DOUBLE_EQ(sparsity(masks, network), zero / all);
    EXPECT_GT(zero / all, 0.4);
  });
}

}  // namespace
}  // namespace lucivox
