#include <cmath>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/sparse/masks.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/sparse/layer_sparsity.h>

namespace lucivox {
namespace {

// A convolution whose weight is `values` before the one that makes the output, which no criterion judges.
Weights one_layer(const at::Tensor& values, bool transposed = false) {
  Graph g;
  const NodeId x = g.input(values.size(transposed ? 0 : 1));
  const int64_t out = values.size(transposed ? 1 : 0), kernel = values.size(2);
  g.convolution(
      transposed ? g.transposed_convolution(x, "a", out, kernel) : g.convolution(x, "a", out, kernel), "last",
      1, 1);
  Weights network(g, 1);
  const torch::NoGradGuard no_grad;
  network.weight("a.weight").copy_(values);
  return network;
}

at::Tensor mask_of_layer(const at::Tensor& values, const std::string& criterion, double amount) {
  return mask_of(pruning_masks(one_layer(values), {criterion, amount}, 1), "a.weight");
}

TEST(RandomMasks, TakeExactlyTheAmountOfEveryLayer) {
  const Weights network(ddnet({.growth = 4}), 1);
  for (const double amount : {0.0, 0.1, 0.5, 0.9}) {
    const Masks masks = pruning_masks(network, {"random", amount}, 7);
    EXPECT_EQ(masks.size(), 44U) << "the weights of 44 layers, no biases, no norms";
    for (const auto& [name, mask] : masks)
      EXPECT_EQ(pruned(mask), std::lround(amount * static_cast<double>(mask.numel()))) << name;
  }
}

TEST(PruningMasks, AreTheSameOnEveryDevice) {
  const Weights network(ddnet({.growth = 4}), 1);
  on_every_device([&](c10::Device device) {
    Weights there(ddnet({.growth = 4}), 1);
    there.to(device);
    for (const std::string& criterion : pruning_criteria()) {
      const Masks mine = pruning_masks(there, {criterion, 0.5}, 7),
                  truth = pruning_masks(network, {criterion, 0.5}, 7);
      ASSERT_EQ(mine.size(), truth.size()) << criterion;
      for (const auto& [name, mask] : mine) {
        EXPECT_EQ(mask.device(), device) << criterion;
        EXPECT_TRUE(at::equal(mask.cpu(), mask_of(truth, name))) << criterion << " " << name;
      }
    }
  });
}

TEST(RandomMasks, AreDrawnByTheSeed) {
  const Weights network(ddnet({.growth = 4}), 1);
  const auto stem = [&](uint64_t seed, const std::string& targets) {
    return mask_of(pruning_masks(network, {"random", 0.5, targets}, seed), "conv1.weight");
  };
  EXPECT_TRUE(at::equal(stem(1, "both"), stem(1, "both")));
  EXPECT_TRUE(at::equal(stem(1, "both"), stem(1, "convolution")));
  EXPECT_FALSE(at::equal(stem(1, "both"), stem(2, "both")));
  EXPECT_FALSE(stem(1, "deconvolution").defined());
}

// |w| = 3 1 2 1 0.5 4: the half of smallest magnitude is 0.5 and both 1, the third of it 0.5 and the first 1.
TEST(MagnitudeMasks, TakeTheSmallestWhereTheyStand) {
  const at::Tensor values = torch::tensor({3.0F, -1.0F, 2.0F, 1.0F, 0.5F, -4.0F}).view({2, 3, 1, 1});
  EXPECT_TRUE(at::equal(mask_of_layer(values, "magnitude", 0.5).flatten(),
                        torch::tensor({1.0F, 0.0F, 1.0F, 0.0F, 0.0F, 1.0F})));
  EXPECT_TRUE(at::equal(mask_of_layer(values, "magnitude", 1.0 / 3).flatten(),
                        torch::tensor({1.0F, 0.0F, 1.0F, 1.0F, 0.0F, 1.0F})))
      << "among equals the first goes";
}

// a holds 4, 3, 2, 1 and b 8, 7, 1.5, 1: of 8 weights the 3 smallest are 1, 1 and 1.5.
TEST(MagnitudeMasks, OverAllLayersTakeTheSmallestOfAll) {
  Graph g;
  g.convolution(g.convolution(g.convolution(g.input(1), "a", 4, 1), "b", 1, 1), "last", 1, 1);
  Weights network(g, 1);
  const torch::NoGradGuard no_grad;
  network.weight("a.weight").copy_(torch::tensor({4.0F, 3.0F, 2.0F, -1.0F}).view({4, 1, 1, 1}));
  network.weight("b.weight").copy_(torch::tensor({8.0F, 7.0F, -1.5F, 1.0F}).view({1, 4, 1, 1}));
  const Masks masks = pruning_masks(network, {"magnitude-global", 3.0 / 8}, 1);
  EXPECT_TRUE(at::equal(mask_of(masks, "a.weight").flatten(), torch::tensor({1.0F, 1.0F, 1.0F, 0.0F})));
  EXPECT_TRUE(at::equal(mask_of(masks, "b.weight").flatten(), torch::tensor({1.0F, 1.0F, 0.0F, 0.0F})));
}

// The picture in patterns.h: 12 of 25 taps, two triangles of 1 + 2 + 3.
TEST(CornersMask, TakesBlocksAtBothCorners) {
  const at::Tensor mask = mask_of_layer(torch::randn({3, 2, 5, 5}), "corners", 0.5);
  const at::Tensor expected = torch::tensor({{0.0F, 0.0F, 0.0F, 1.0F, 1.0F},
                                             {0.0F, 0.0F, 1.0F, 1.0F, 1.0F},
                                             {0.0F, 1.0F, 1.0F, 1.0F, 0.0F},
                                             {1.0F, 1.0F, 1.0F, 0.0F, 0.0F},
                                             {1.0F, 1.0F, 0.0F, 0.0F, 0.0F}});
  EXPECT_TRUE(at::equal(mask, expected.expand_as(mask)));
}

TEST(CornersMask, IsAsNearToTheAmountAsPairsGetAndSymmetric) {
  for (const int64_t kernel : {3, 5, 7}) {
    for (int tenths = 0; tenths < 10; ++tenths) {
      const double amount = 0.1 * tenths;
      const at::Tensor mask = mask_of_layer(torch::randn({1, 1, kernel, kernel}), "corners", amount)[0][0];
      EXPECT_LE(std::abs(static_cast<double>(pruned(mask)) - amount * static_cast<double>(kernel * kernel)),
                1 + 1e-9)
          << kernel << " " << amount;
      EXPECT_TRUE(at::equal(mask, mask.flip({0, 1}))) << "mirrored at the centre";
      EXPECT_EQ(mask[kernel / 2][kernel / 2].item<float>(), 1);
    }
  }
}

TEST(CornersMask, LeavesKernelsOfOneTapAlone) {
  const Masks masks = pruning_masks(Weights(ddnet({.growth = 2}), 1), {"corners", 0.5}, 1);
  EXPECT_TRUE(mask_of(masks, "conv1.weight").defined());
  EXPECT_FALSE(mask_of(masks, "conv2.weight").defined());
}

// In every group of 4 input channels, at each tap of each filter, 2 are left, and none that went is larger.
TEST(TwoOfFourMask, KeepsTheLargerTwoOfEveryFour) {
  for (const bool transposed : {false, true}) {
    const at::Tensor values = torch::randn({8, 12, 3, 3});
    const Masks masks = pruning_masks(one_layer(values, transposed), {"2:4", 0.5}, 1);
    const at::Tensor mask = mask_of(masks, "a.weight");
    const int64_t channels = transposed ? 0 : 1;
    for (int64_t first = 0; first < values.size(channels); first += 4) {
      const at::Tensor group = values.narrow(channels, first, 4).abs();
      const at::Tensor kept = mask.narrow(channels, first, 4);
      EXPECT_TRUE((kept.sum(channels) == 2).all().item<bool>());
      const at::Tensor least_kept = group.masked_fill(kept == 0, INFINITY).amin(channels);
      const at::Tensor most_pruned = group.masked_fill(kept == 1, -INFINITY).amax(channels);
      EXPECT_TRUE((least_kept > most_pruned).all().item<bool>());
    }
  }
}

TEST(TwoOfFourMask, LeavesOtherChannelNumbersAlone) {
  EXPECT_FALSE(mask_of_layer(torch::randn({4, 6, 3, 3}), "2:4", 0.5).defined());
}

TEST(PruningMasks, TargetTheLayersAskedFor) {
  const Weights network(ddnet({.growth = 4}), 1);
  EXPECT_EQ(pruning_masks(network, {"magnitude", 0.5, "convolution"}, 1).size(), 37U);
  EXPECT_EQ(pruning_masks(network, {"magnitude", 0.5, "deconvolution"}, 1).size(), 7U);
  EXPECT_TRUE(pruning_masks(network, {"none", 0.5}, 1).empty());
}

// Its filters may lose channels that others made, but it is never chosen from.
TEST(PruningMasks, LeaveTheLayerThatMakesTheOutputAlone) {
  Graph g;  // two convolutions make the output, c behind an activation
  const NodeId a = g.convolution(g.input(1), "a", 4, 3);
  g.leaky_relu(g.concat({g.convolution(a, "b", 4, 3), g.leaky_relu(g.convolution(a, "c", 4, 3))}));
  const Weights network(g, 1);
  for (const std::string& criterion : pruning_criteria()) {
    if (criterion == "none" || criterion.starts_with("filters")) continue;
    const Masks masks = pruning_masks(network, {criterion, 0.5}, 1);
    for (const char* last : {"b.weight", "c.weight"})
      EXPECT_FALSE(mask_of(masks, last).defined()) << criterion << " " << last;
  }
  const Masks filters = pruning_masks(network, {"filters-l1", 0.5}, 1);
  EXPECT_EQ(pruned(mask_of(filters, "c.weight")), 4 * 2 * 9) << "2 of the 4 channels that a made";
}

TEST(PruningMasks, RefuseImpossibleAmounts) {
  const Weights network(two_convolutions(), 1);
  for (const std::string& criterion : pruning_criteria()) {
    for (const double amount : {1.0, -0.1, double{NAN}, double{INFINITY}})
      EXPECT_THROW(pruning_masks(network, {criterion, amount}, 1), Error) << criterion << " " << amount;
  }
  EXPECT_THROW(pruning_masks(network, {"2:4", 0.4}, 1), Error);
}

TEST(PruningMasks, LeaveNoLayerEmpty) {
  const Weights network(two_convolutions(), 1);
  EXPECT_THROW(pruning_masks(network, {"filters-l1", 0.9}, 1), Error) << "4 of 4 filters";
  EXPECT_THROW(pruning_masks(one_layer(torch::ones({1, 1, 1, 1})), {"random", 0.5}, 1), Error);
  Graph g;
  g.convolution(g.convolution(g.convolution(g.input(1), "a", 4, 3), "b", 1, 3), "last", 1, 1);
  Weights uneven(g, 1);
  const torch::NoGradGuard no_grad;
  uneven.weight("b.weight").fill_(1e-6);
  EXPECT_THROW(pruning_masks(uneven, {"magnitude-global", 0.5}, 1), Error) << "all of b";
}

TEST(PruningMasks, UnknownNamesListWhatThereIs) {
  const Weights network(two_convolutions(), 1);
  for (const PruningOptions& options :
       {PruningOptions{"structured", 0.5}, PruningOptions{"random", 0.5, "pooling"}}) {
    try {
      pruning_masks(network, options, 1);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 2);
      EXPECT_TRUE(error.hint().find("channels-l2") != std::string::npos ||
                  error.hint().find("deconvolution") != std::string::npos)
          << error.hint();
    }
  }
}

// 3 4 -> 0 4: 3 of the norm 5 is lost.
TEST(LayerSparsity, CountsWeightsAndTheNormLost) {
  on_every_device([](c10::Device device) {
    Weights network = one_layer(torch::tensor({3.0F, 4.0F}).view({1, 2, 1, 1}));
    network.to(device);
    const auto facts = layer_sparsity(network, pruning_masks(network, {"magnitude", 0.5}, 1));
    ASSERT_EQ(facts.size(), 2U);
    EXPECT_EQ(facts[0].name, "a");
    EXPECT_EQ(facts[0].shape, (std::vector<int64_t>{1, 2, 1, 1}));
    EXPECT_EQ(facts[0].kept, 1);
    EXPECT_EQ(facts[0].total, 2);
    EXPECT_NEAR(facts[0].norm_lost, 0.6, 1e-7);
  });
}

TEST(Masks, OfAnotherNetworkAreRefused) {
  const Weights small(ddnet({.growth = 2}), 1), large(ddnet({.growth = 4}), 1);
  const Masks masks = pruning_masks(large, {"magnitude", 0.5}, 1);
  EXPECT_THROW(require_masks_fit(masks, small), Error) << "shapes";
  EXPECT_THROW(require_masks_fit({{"unheard-of.weight", torch::ones({1})}}, large), Error) << "names";
  EXPECT_THROW(require_masks_fit({{"conv1.bias", torch::full({4}, 0.5)}}, large), Error) << "values";
  EXPECT_THROW(require_masks_fit({{"conv1.bias", torch::full({4}, NAN)}}, large), Error) << "NaN";
  EXPECT_THROW(layer_sparsity(small, masks), Error);
  EXPECT_NO_THROW(require_masks_fit(masks, large));
}

}  // namespace
}  // namespace lucivox
