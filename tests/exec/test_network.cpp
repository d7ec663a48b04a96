#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/vgg.h>

namespace lucivox {
namespace {

// A network of every operation, small enough for finite differences.
Graph every_operation() {
  Graph g;
  const NodeId x = g.input(1);
  const NodeId a = g.leaky_relu(g.convolution(g.batch_norm(x, "norm"), "conv", 3, 3));
  const NodeId down = g.max_pool(a, {.kernel = 3, .stride = 2, .padding = 1});
  const NodeId up = g.upsample(down, 2);
  g.transposed_convolution(g.concat({a, up}), "deconv", 1, 3);
  return g;
}

// Directional derivatives of a random projection of the output against central differences, in double
// precision.
TEST(Network, GradientsAreThoseOfFiniteDifferences) {
  torch::manual_seed(1);
  Network network(every_operation(), 7);
  network.weights().to(at::TensorOptions().dtype(at::kDouble));
  const torch::NoGradGuard no_grad;
  for (const auto& [name, weight] : network.weights().parameters())
    weight.add_(torch::randn_like(weight) * 0.3);
  const at::Tensor x = torch::randn({2, 1, 8, 8}, at::kDouble),
                   probe = torch::randn({2, 1, 8, 8}, at::kDouble);
  const auto value = [&] { return (network.forward(x, Mode::Training) * probe).sum(); };
  {
    const torch::AutoGradMode grad(true);
    value().backward();
  }
  for (const auto& [name, weight] : network.weights().parameters()) {
    const at::Tensor direction = torch::randn_like(weight);
    const double step = 1e-6, slope = (weight.grad() * direction).sum().item<double>();
    weight.add_(direction, step);
    const double above = value().item<double>();
    weight.add_(direction, -2 * step);
    const double below = value().item<double>();
    weight.add_(direction, step);
    // central differences err by step^2, and by rounding of about 1e-15 / step
    EXPECT_NEAR((above - below) / (2 * step), slope, 1e-6 * (1 + std::abs(slope))) << name;
  }
}

// Stride 1 makes a transposed convolution an ordinary one with the kernel flipped; libtorch has the former
// itself.
TEST(Network, TransposedConvolutionEqualsLibtorchs) {
  Graph g;
  g.transposed_convolution(g.input(3), "t", 2, 5);
  Network network(g, 3);
  const at::Tensor x = torch::randn({1, 3, 9, 11});
  const at::Tensor truth =
      at::conv_transpose2d(x, network.weights().weight("t.weight"), network.weights().weight("t.bias"), 1, 2);
  EXPECT_LT(relative_difference(network.forward(x, Mode::Evaluation), truth), 1e-6);
}

TEST(Network, SameSeedSameWeights) {
  const Network a(ddnet({.growth = 4}), 5), b(ddnet({.growth = 4}), 5), c(ddnet({.growth = 4}), 6);
  EXPECT_TRUE(at::equal(a.weights().weight("conv1.weight"), b.weights().weight("conv1.weight")));
  EXPECT_FALSE(at::equal(a.weights().weight("conv1.weight"), c.weights().weight("conv1.weight")));
}

// N(0, 0.01) over 20,480 weights: the sample deviation errs by 0.01 / sqrt(2 n), five of which are 2.5e-4.
TEST(Network, StartsAsTheReferenceDoes) {
  const Network network(ddnet(), 1);
  const at::Tensor weight = network.weights().weight("dnet1.conv2_0.weight").detach();
  EXPECT_NEAR(weight.std().item<double>(), 0.01, 2.5e-4);
  EXPECT_NEAR(weight.mean().item<double>(), 0, 4e-4);
  EXPECT_EQ(network.weights().weight("conv1.bias").abs().max().item<double>(), 0);
  EXPECT_EQ(network.weights().weight("batch7.weight").min().item<double>(), 1);
}

TEST(Network, EvaluationLeavesRunningStatisticsAlone) {
  Network network(ddnet({.growth = 2}), 1);
  const at::Tensor before = network.weights().weight("batch1.running_mean").clone();
  const torch::NoGradGuard no_grad;
  network.forward(torch::randn({1, 1, 16, 16}), Mode::Evaluation);
  EXPECT_TRUE(at::equal(network.weights().weight("batch1.running_mean"), before));
  network.forward(torch::randn({1, 1, 16, 16}) + 1, Mode::Training);
  EXPECT_FALSE(at::equal(network.weights().weight("batch1.running_mean"), before));
}

// Of batches of different sizes, those of all their pixels.
TEST(Network, TakesTheStatisticsOfAllInputs) {
  torch::manual_seed(3);
  Network network(ddnet({.growth = 2}), 1);
  const at::Tensor a = 5 + 2 * torch::randn({3, 1, 16, 16}), b = -1 + torch::randn({1, 1, 32, 48});
  take_statistics(network, {a, b});
  const at::Tensor all = at::cat({a.flatten(), b.flatten()}).to(at::kDouble);
  EXPECT_NEAR(network.weights().weight("batch1.running_mean").item<double>(), all.mean().item<double>(),
              1e-4);
  // running variances are those of samples: n / (n - 1) of each batch
  EXPECT_NEAR(network.weights().weight("batch1.running_var").item<double>(), all.var().item<double>(), 0.01);
}

TEST(Network, RefusesSizesThatDoNotComeUpAgain) {
  Network network(ddnet({.growth = 2}), 1);
  EXPECT_THROW(network.forward(torch::zeros({1, 1, 24, 32}), Mode::Evaluation), Error);
  EXPECT_THROW(network.forward(torch::zeros({1, 2, 32, 32}), Mode::Evaluation), Error);
}

// Where nothing comes up again any size will do: a pooling leaves out the last row or column, as libtorch's.
TEST(Network, PoolsOddSizesOfVgg) {
  torch::manual_seed(1);
  Network block(vgg_blocks(16)[0], 1);
  const at::Tensor x = torch::randn({1, 3, 17, 15});
  const auto convolved = [&](const at::Tensor& of, const std::string& name) {
    return at::relu(at::conv2d(of, block.weights().weight(name + ".weight"),
                               block.weights().weight(name + ".bias"), at::IntArrayRef{1}, 1));
  };
  const at::Tensor truth = at::max_pool2d(convolved(convolved(x, "features.0"), "features.2"), {2, 2});
  ASSERT_EQ(truth.sizes(), (at::IntArrayRef{1, 64, 8, 7}));
  EXPECT_LT(relative_difference(block.forward(x, Mode::Evaluation), truth), 1e-5);
}

TEST(Network, RefusesWeightsOfAnother) {
  Network network(ddnet({.growth = 2}), 1);
  NamedTensors state = Weights(ddnet({.growth = 4}), 1).state();
  EXPECT_THROW(network.weights().load_state(state), Error);
  NamedTensors missing = Weights(ddnet({.growth = 2}), 2).state();
  missing.pop_back();
  EXPECT_THROW(network.weights().load_state(missing), Error);
  NamedTensors broken = Weights(ddnet({.growth = 2}), 2).state();
  broken[0].second = torch::full_like(broken[0].second, NAN);
  EXPECT_THROW(network.weights().load_state(broken), Error);
}

// libtorch's batch norm in training mode is what the statistics of the images at hand give; both ways of
// running a network, and their gradients, must do that and leave the running ones alone.
TEST(Network, BatchStatisticsNormaliseInEvaluationToo) {
  torch::manual_seed(4);
  Graph g;
  g.leaky_relu(g.convolution(g.batch_norm(g.input(2), "norm", NormStatistics::Batch), "conv", 3, 3));
  const at::Tensor x = 5 + 3 * torch::randn({2, 2, 8, 8}), probe = torch::randn({2, 3, 8, 8});
  std::vector<at::Tensor> gradients;
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {  // by layers, by libtorch
    Network network(g, 5);
    network.weights().to(at::TensorOptions().dtype(type));
    const at::Tensor normalised =
        at::batch_norm(x.to(type), network.weights().weight("norm.weight").detach(),
                       network.weights().weight("norm.bias").detach(), {}, {}, true, 0, 1e-5, false);
    const at::Tensor truth = at::leaky_relu(at::conv2d(normalised, network.weights().weight("conv.weight"),
                                                       network.weights().weight("conv.bias"), 1, 1),
                                            0.01);
    const at::Tensor output = network.forward(x.to(type), Mode::Evaluation);
    EXPECT_LT((output - truth).abs().max().item<double>(), 1e-5);
    EXPECT_TRUE((network.weights().weight("norm.running_mean") == 0).all().item<bool>());
    (output * probe.to(type)).sum().backward();
    gradients.push_back(network.weights().weight("conv.weight").grad().to(at::kDouble));
    gradients.push_back(network.weights().weight("norm.weight").grad().to(at::kDouble));
  }
  EXPECT_LT((gradients[0] - gradients[2]).abs().max().item<double>(), 1e-3);
  EXPECT_LT((gradients[1] - gradients[3]).abs().max().item<double>(), 1e-3);
}

}  // namespace
}  // namespace lucivox
