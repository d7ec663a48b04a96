#include <gtest/gtest.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/sparse/structured.h>

namespace lucivox {
namespace {

// conv a (4 filters) is read by b alone; b's output is the network's.
Graph two_convolutions() {
  Graph g;
  g.convolution(g.batch_norm(g.leaky_relu(g.convolution(g.input(1), "a", 4, 3)), "norm"), "b", 1, 3);
  return g;
}

at::Tensor mask_of(const Masks& masks, const std::string& name) {
  for (const auto& [key, mask] : masks) {
    if (key == name) return mask;
  }
  return {};
}

TEST(StructuredMasks, TakeTheSmallestFiltersWithTheirChannels) {
  const torch::NoGradGuard no_grad;
  Network network(two_convolutions(), 1);
  for (int64_t f = 0; f < 4; ++f)
    network.weight("a.weight")[f].fill_(std::array{0.3, -0.1, 0.2, 0.4}[static_cast<size_t>(f)]);
  const Masks masks = structured_masks(network, 0.5);
  const at::Tensor kept = torch::tensor({1.0F, 0.0F, 0.0F, 1.0F});
  EXPECT_TRUE(at::equal(mask_of(masks, "a.weight").select(1, 0).select(1, 0).select(1, 0), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "a.bias"), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "norm.weight"), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "norm.bias"), kept));
  EXPECT_TRUE(at::equal(mask_of(masks, "b.weight")[0].select(1, 0).select(1, 0), kept));
  EXPECT_FALSE(mask_of(masks, "b.bias").defined()) << "the output's own filter is not free";
}

// Pruned filters must be removable without changing the output: noise in what the masks took must not be
// seen.
TEST(StructuredMasks, PrunedFiltersNoLongerMatter) {
  const torch::NoGradGuard no_grad;
  Network network(ddnet({.growth = 4}), 1);
  const Masks masks = structured_masks(network, 0.5);
  apply_masks(masks, network);
  const at::Tensor x = torch::randn({1, 1, 32, 32});
  const at::Tensor before = network.forward(x, Mode::Evaluation);
  for (const auto& [name, mask] : masks) {
    // filters may come back to life as long as the channels that read them are pruned
    if (name.find("conv1_") != std::string::npos && name.ends_with(".bias"))
      network.weight(name).add_(1 - mask);
  }
  EXPECT_TRUE(at::equal(network.forward(x, Mode::Evaluation), before));
}

// Filters whose output joins a concatenation are tied to others: the 5x5 of the dense blocks and the skips.
TEST(StructuredMasks, LeaveSkipsAlone) {
  const Masks masks = structured_masks(Network(ddnet(), 1), 0.5);
  EXPECT_TRUE(mask_of(masks, "dnet1.conv1_0.weight").defined());
  EXPECT_FALSE(mask_of(masks, "conv1.weight").defined());
  EXPECT_FALSE(mask_of(masks, "dnet1.conv2_0.bias").defined());
  EXPECT_FALSE(mask_of(masks, "convT8.bias").defined());
}

// Half of the 64 filters of each 1x1: 16 * (the 1x1 halves, the 5x5 that read them halve).
TEST(StructuredMasks, SparsityCountsWhatIsZero) {
  Network network(ddnet(), 1);
  const Masks masks = structured_masks(network, 0.5);
  apply_masks(masks, network);
  double zero = 0, all = 0;
  for (const auto& [name, weight] : network.parameters()) {
    if (weight.dim() != 4) continue;
    zero += (weight == 0).sum().item<double>();
    all += static_cast<double>(weight.numel());
  }
  EXPECT_DOUBLE_EQ(sparsity(masks, network), zero / all);
  EXPECT_GT(zero / all, 0.4);
}

TEST(StructuredMasks, RefuseImpossibleAmounts) {
  const Network network(two_convolutions(), 1);
  EXPECT_THROW(structured_masks(network, 1), Error);
  EXPECT_THROW(structured_masks(network, -0.1), Error);
  EXPECT_THROW(structured_masks(network, NAN), Error);
  EXPECT_THROW(structured_masks(network, 0.9), Error) << "4 of 4 filters";
}

}  // namespace
}  // namespace lucivox
