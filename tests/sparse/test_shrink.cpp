#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/sparse/masks.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/sparse/shrink.h>

namespace lucivox {
namespace {

// Weights as after training: no norm at 1 and 0, no bias at 0.
void perturb(const Weights& network, int64_t seed) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(seed);
  for (const auto& [name, value] : network.state()) {
    if (name.ends_with(".running_var")) {
      value.copy_(0.5 + torch::rand_like(value));
    } else {
      value.add_(0.1 * torch::randn_like(value));
    }
  }
}

struct Outputs {
  at::Tensor evaluation, training;
};

// Of two random pictures; training changes the running statistics afterwards.
Outputs outputs_of(const Weights& weights, int64_t side) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  Network network(weights.share());
  const at::Tensor x = torch::randn({2, weights.graph().channels(0), side, side});
  const at::Tensor given = x.to(weights.options());
  const at::Tensor evaluation = network.forward(given, Mode::Evaluation);
  return {evaluation, network.forward(given, Mode::Training)};
}

void expect_same(const Outputs& a, const Outputs& b, double tolerance, const std::string& what) {
  EXPECT_LT(relative_difference(a.evaluation, b.evaluation), tolerance) << what;
  EXPECT_LT(relative_difference(a.training, b.training), tolerance) << what << ", training";
}

Weights pruned_ddnet(int64_t growth, const PruningOptions& options) {
  Weights network(ddnet({.growth = growth}), 1);
  perturb(network, 2);
  apply_masks(pruning_masks(network, options, 1), network);
  return network;
}

constexpr int64_t kGrowths[] = {4, 16};

class ShrinkDdnet : public ::testing::TestWithParam<std::string> {};

// In float64, where the order of sums does not show: the same function, and the same weights when expanded.
TEST_P(ShrinkDdnet, KeepsTheFunctionAtEveryAmount) {
  on_every_device([](c10::Device device) {
    for (const int64_t growth : kGrowths) {
      for (const double amount : growth == 4 ? std::vector{0.1, 0.3, 0.5, 0.7, 0.9} : std::vector{0.5}) {
        const std::string what = fmt::format("growth {}, {}", growth, amount);
        Weights masked = pruned_ddnet(growth, {GetParam(), amount});
        masked.to(at::TensorOptions(at::kDouble).device(device));
        const Shrinking removed = removable_channels(masked);
        const Weights smaller = shrink(removed, masked), again = expand(removed, smaller);
        EXPECT_LT(smaller.graph().parameter_count(), masked.graph().parameter_count()) << what;
        EXPECT_EQ(smaller.device(), device) << what;
        for (const auto& [name, weight] : masked.parameters())
          EXPECT_TRUE(at::equal(again.weight(name), weight)) << what << " " << name;
        expect_same(outputs_of(smaller, 32), outputs_of(masked, 32), 1e-9, what);
      }
    }
  });
}

// In float32 on our kernels, whose sums run in another order. In training mode batch norms and kinks enlarge
// the differences of the last digit, by a hundred times and differently on every processor: there the smaller
// network has to be as near to float64 as the masked one is.
TEST_P(ShrinkDdnet, KeepsTheOutput) {
  for (const int64_t growth : kGrowths) {
    SCOPED_TRACE(growth);
    Weights masked = pruned_ddnet(growth, {GetParam(), 0.5}), exact = pruned_ddnet(growth, {GetParam(), 0.5});
    exact.to(at::kDouble);
    Weights smaller = shrink(removable_channels(masked), masked);
    const Outputs truth = outputs_of(exact, 128), whole = outputs_of(masked, 128),
                  less = outputs_of(smaller, 128);
    EXPECT_LT(relative_difference(less.evaluation, whole.evaluation), 1e-5);
    EXPECT_LT(relative_difference(less.training, truth.training),
              2 * relative_difference(whole.training, truth.training));
  }
}

INSTANTIATE_TEST_SUITE_P(Structured, ShrinkDdnet,
                         ::testing::Values("filters-l1", "filters-l2", "channels-l1", "channels-l2"),
                         [](const auto& criterion) {
                           std::string name = criterion.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// With half of the filters of every dense block's 1x1 gone, so is half of the work there: by hand, the 1x1
// and 5x5 of the blocks and of the last decoder pairs.
TEST(Shrink, HalvesTheWorkOfTheFreeFilters) {
  Weights network(ddnet(), 1);
  perturb(network, 1);
  apply_masks(pruning_masks(network, {"filters-l1", 0.5}, 1), network);
  const Graph smaller = shrunk_graph(removable_channels(network));
  for (int level = 1; level <= 4; ++level) {
    for (int i = 0; i < 4; ++i) {
      const std::string name = fmt::format("dnet{}.conv1_{}", level, i);
      const auto found = std::find_if(smaller.nodes().begin(), smaller.nodes().end(),
                                      [&](const Node& node) { return node.name == name; });
      ASSERT_NE(found, smaller.nodes().end());
      EXPECT_EQ(std::get<Convolution>(found->operation).out, 32) << name;
    }
  }
  EXPECT_LT(smaller.flops(512, 512), 0.6 * ddnet().flops(512, 512));
}

// Three branches of random widths joined, joined again with the input's own branch, pooled and brought up.
Graph random_graph(uint64_t seed) {
  Random random(seed);
  Graph g;
  std::vector<NodeId> seen{g.convolution(g.input(2), "stem", 4, 3)};
  for (int i = 0; i < 5; ++i) {
    NodeId x =
        g.concat({seen[static_cast<size_t>(random.integer(static_cast<int64_t>(seen.size())))], seen.back()});
    if (random.integer(2) == 0) x = g.batch_norm(x, fmt::format("norm{}", i));
    x = random.integer(2) == 0
            ? g.convolution(x, fmt::format("conv{}", i), 1 + random.integer(5), 3)
            : g.transposed_convolution(x, fmt::format("convT{}", i), 1 + random.integer(5), 3);
    if (random.integer(2) == 0) x = g.upsample(g.max_pool(x, {}), 2);
    seen.push_back(g.leaky_relu(x));
  }
  g.batch_norm(g.concat({seen[1], seen[5]}), "last");
  return g;
}

// Kills random filters, norms' channels and readings: whatever made them zero, the output stays.
TEST(Shrink, KeepsTheOutputOfRandomNetworks) {
  const torch::NoGradGuard no_grad;
  int64_t removed = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Weights network(random_graph(seed), seed);
    perturb(network, static_cast<int64_t>(seed));
    Random random(seed, 1);
    for (const WeightSpec& spec : network.graph().weights()) {
      if (spec.node == network.graph().output() || !spec.trained) continue;
      const at::Tensor& weight = network.weight(spec.name);
      const int64_t dimension = spec.shape.size() == 1 ? 0 : random.integer(2);
      for (int64_t i = 0; i < spec.shape[static_cast<size_t>(dimension)]; ++i) {
        if (random.uniform() < 0.7) weight.select(dimension, i).zero_();
      }
    }
    const Shrinking shrinking = removable_channels(network);
    Weights smaller = shrink(shrinking, network), again = expand(shrinking, smaller);
    removed += network.graph().parameter_count() - smaller.graph().parameter_count();
    const Outputs expected = outputs_of(network, 16);
    expect_same(outputs_of(smaller, 16), expected, 1e-5, fmt::format("seed {}", seed));
    expect_same(outputs_of(again, 16), expected, 1e-5, fmt::format("seed {}, expanded", seed));
  }
  EXPECT_GT(removed, 1000) << "else nothing was tested";
}

struct Chain {
  Weights network{two_convolutions(), 1};
  std::vector<int64_t> kept() const { return removable_channels(network).kept[1]; }
};

TEST(Shrink, TakesWhatNobodyReads) {
  const torch::NoGradGuard no_grad;
  const Chain chain;
  chain.network.weight("b.weight").select(1, 2).zero_();
  EXPECT_EQ(chain.kept(), (std::vector<int64_t>{0, 1, 3}));
}

TEST(Shrink, TakesWhatANormMakesZero) {
  const torch::NoGradGuard no_grad;
  const Chain chain;
  chain.network.weight("norm.weight")[0] = 0;  // its bias is 0 from the start
  EXPECT_EQ(chain.kept(), (std::vector<int64_t>{1, 2, 3}));
}

// A zero filter is not dead behind a norm with a bias: b reads the bias, but not in its zero padding.
TEST(Shrink, LeavesConstantChannels) {
  const torch::NoGradGuard no_grad;
  const Chain chain;
  chain.network.weight("a.weight")[0].zero_();
  chain.network.weight("norm.bias")[0] = 1;
  EXPECT_EQ(chain.kept().size(), 4U);
}

TEST(Shrink, LeavesOneFilterOfEachConvolution) {
  const torch::NoGradGuard no_grad;
  Chain chain;
  chain.network.weight("b.weight").zero_();
  chain.network.weight("b.bias").fill_(5);
  EXPECT_EQ(chain.kept(), (std::vector<int64_t>{0}));
  Weights smaller = shrink(removable_channels(chain.network), chain.network);
  expect_same(outputs_of(smaller, 8), outputs_of(chain.network, 8), 1e-7, "constant");
}

// What only a removed filter reads goes too: a's filter 1 is read by b's filter 0 alone, that by nobody.
TEST(Shrink, FollowsRemovalsBackwards) {
  const torch::NoGradGuard no_grad;
  Graph g;
  g.convolution(g.convolution(g.convolution(g.input(1), "a", 2, 1), "b", 2, 1), "c", 1, 1);
  const Weights network(g, 1);
  network.weight("b.weight")[1][1].zero_();
  network.weight("c.weight")[0][0].zero_();
  const Shrinking shrinking = removable_channels(network);
  EXPECT_EQ(shrinking.kept[1], (std::vector<int64_t>{0}));
  EXPECT_EQ(shrinking.kept[2], (std::vector<int64_t>{1}));
}

TEST(Shrink, OfAModelTellsWhatWentAndIsDoneOnce) {
  const torch::NoGradGuard no_grad;
  const auto model = [] { return Model{Weights(two_convolutions(), 1), {}, "m", {}, "0"}; };
  EXPECT_FALSE(shrink(model()).removed.has_value()) << "nothing is zero";
  EXPECT_THROW(expand(model()), Error);
  Model dense = model();
  dense.weights.weight("b.weight").select(1, 2).zero_();
  const Model smaller = shrink(std::move(dense));
  ASSERT_TRUE(smaller.removed.has_value());
  EXPECT_EQ(smaller.removed->kept[1], (std::vector<int64_t>{0, 1, 3}));
  const auto again = [&] { return Model{smaller.weights.share(), {}, "m", {}, "0", smaller.removed}; };
  EXPECT_THROW(shrink(again()), Error);
  EXPECT_EQ(to_json(expand(again()).weights.graph()), to_json(two_convolutions()));
}

}  // namespace
}  // namespace lucivox
