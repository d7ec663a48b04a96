#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
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
// precision. What is random is drawn on the CPU, so that kinks lie as far away on every device.
TEST(Network, GradientsAreThoseOfFiniteDifferences) {
  on_every_device([](c10::Device device) {
    torch::manual_seed(1);
    Network network(every_operation(), 7);
    network.weights().to(at::kDouble);
    const torch::NoGradGuard no_grad;
    for (const auto& [name, weight] : network.weights().parameters())
      weight.add_(torch::randn_like(weight) * 0.3);
    network.weights().to(device);
    const at::Tensor x = torch::randn({2, 1, 8, 8}, at::kDouble).to(device),
                     probe = torch::randn({2, 1, 8, 8}, at::kDouble).to(device);
    const auto value = [&] { return (network.forward(x, Mode::Training) * probe).sum(); };
    {
      const torch::AutoGradMode grad(true);
      value().backward();
    }
    for (const auto& [name, weight] : network.weights().parameters()) {
      const at::Tensor direction = torch::randn(weight.sizes(), at::kDouble).to(device);
      const double step = 1e-6, slope = (weight.grad() * direction).sum().item<double>();
      weight.add_(direction, step);
      const double above = value().item<double>();
      weight.add_(direction, -2 * step);
      const double below = value().item<double>();
      weight.add_(direction, step);
      // central differences err by step^2, and by rounding of about 1e-15 / step
      EXPECT_NEAR((above - below) / (2 * step), slope, 1e-6 * (1 + std::abs(slope))) << name;
    }
  });
}

// Stride 1 makes a transposed convolution an ordinary one with the kernel flipped; libtorch has the former
// itself.
TEST(Network, TransposedConvolutionEqualsLibtorchs) {
  Graph g;
  g.transposed_convolution(g.input(3), "t", 2, 5);
  const at::Tensor x = torch::randn({1, 3, 9, 11});
  on_every_device([&](c10::Device device) {
    Network network(g, 3);
    const Weights& w = network.weights();
    const at::Tensor truth = at::conv_transpose2d(x, w.weight("t.weight"), w.weight("t.bias"), 1, 2);
    network.weights().to(device);
    EXPECT_LT(relative_difference(network.forward(x.to(device), Mode::Evaluation), truth), 1e-6);
  });
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
  const torch::NoGradGuard no_grad;
  on_every_device([](c10::Device device) {
    Network network(ddnet({.growth = 2}), 1);
    network.weights().to(device);
    const at::Tensor before = network.weights().weight("batch1.running_mean").clone();
    network.forward(torch::randn({1, 1, 16, 16}).to(device), Mode::Evaluation);
    EXPECT_TRUE(at::equal(network.weights().weight("batch1.running_mean"), before));
    network.forward(torch::randn({1, 1, 16, 16}).to(device) + 1, Mode::Training);
    EXPECT_FALSE(at::equal(network.weights().weight("batch1.running_mean"), before));
  });
}

// Of batches of different sizes, those of all their pixels.
TEST(Network, TakesTheStatisticsOfAllInputs) {
  torch::manual_seed(3);
  const at::Tensor a = 5 + 2 * torch::randn({3, 1, 16, 16}), b = -1 + torch::randn({1, 1, 32, 48});
  const at::Tensor all = at::cat({a.flatten(), b.flatten()}).to(at::kDouble);
  on_every_device([&](c10::Device device) {
    Network network(ddnet({.growth = 2}), 1);
    const Weights& w = network.weights();
    network.weights().to(device);
    take_statistics(network, {a.to(device), b.to(device)});
    EXPECT_NEAR(w.weight("batch1.running_mean").item<double>(), all.mean().item<double>(), 1e-4);
    // running variances are those of samples: n / (n - 1) of each batch
    EXPECT_NEAR(w.weight("batch1.running_var").item<double>(), all.var().item<double>(), 0.01);
  });
}

TEST(Network, RefusesSizesThatDoNotComeUpAgain) {
  Network network(ddnet({.growth = 2}), 1);
  EXPECT_THROW(network.forward(torch::zeros({1, 1, 24, 32}), Mode::Evaluation), Error);
  EXPECT_THROW(network.forward(torch::zeros({1, 2, 32, 32}), Mode::Evaluation), Error);
}

// Where nothing comes up again any size will do: a pooling leaves out the last row or column, as libtorch's.
TEST(Network, PoolsOddSizesOfVgg) {
  torch::manual_seed(1);
  const Network block(vgg_blocks(16)[0], 1);
  const at::Tensor x = torch::randn({1, 3, 17, 15});
  const auto convolved = [&](const at::Tensor& of, const std::string& name) {
    return at::relu(at::conv2d(of, block.weights().weight(name + ".weight"),
                               block.weights().weight(name + ".bias"), at::IntArrayRef{1}, 1));
  };
  const at::Tensor truth = at::max_pool2d(convolved(convolved(x, "features.0"), "features.2"), {2, 2});
  ASSERT_EQ(truth.sizes(), (at::IntArrayRef{1, 64, 8, 7}));
  on_every_device([&](c10::Device device) {
    Network there(block.weights().share());
    there.weights().to(device);
    EXPECT_LT(relative_difference(there.forward(x.to(device), Mode::Evaluation), truth), 1e-5);
  });
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
  on_every_device([&](c10::Device device) {
    std::vector<at::Tensor> gradients;
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {  // by layers on the CPU, by libtorch
      Network network(g, 5);
      network.weights().to(at::TensorOptions(type).device(device));
      const Weights& w = network.weights();
      const at::Tensor there = x.to(device, type);
      const at::Tensor normalised =
          at::batch_norm(there, w.weight("norm.weight").detach(), w.weight("norm.bias").detach(), {}, {},
                         true, 0, 1e-5, false);
      const at::Tensor truth =
          at::leaky_relu(at::conv2d(normalised, w.weight("conv.weight"), w.weight("conv.bias"), 1, 1), 0.01);
      const at::Tensor output = network.forward(there, Mode::Evaluation);
      EXPECT_LT(largest_difference(output, truth), 1e-5);
      EXPECT_TRUE((w.weight("norm.running_mean") == 0).all().item<bool>());
      (output * probe.to(device, type)).sum().backward();
      gradients.push_back(w.weight("conv.weight").grad());
      gradients.push_back(w.weight("norm.weight").grad());
    }
    EXPECT_LT(largest_difference(gradients[0], gradients[2]), 1e-3);
    EXPECT_LT(largest_difference(gradients[1], gradients[3]), 1e-3);
  });
}

}  // namespace
}  // namespace lucivox
