#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/parallel.h>
#include <lucivox/exec/layers.h>
#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>

namespace lucivox {
namespace {

// Every kind of layer and of join: with and without batch norm and activation, a node that is read by a
// layer, a pooling and a concatenation, concatenations in each other, outputs joined that are no activations.
Graph all_kinds_of_layers() {
  Graph g;
  const NodeId x = g.input(2);
  const NodeId a = g.leaky_relu(g.convolution(g.batch_norm(x, "n1"), "c1", 9, 5), 0.1);
  const NodeId b = g.convolution(a, "c2", 4, 3);
  const NodeId inner = g.concat({a, b});
  const NodeId c = g.leaky_relu(g.transposed_convolution(g.batch_norm(inner, "n2"), "c3", 8, 5), 0.01);
  const NodeId outer = g.concat({inner, c});
  const NodeId down = g.max_pool(outer, {.kernel = 3, .stride = 2, .padding = 1});
  const NodeId d = g.leaky_relu(g.convolution(g.batch_norm(down, "n3"), "c4", 6, 1), 0);
  const NodeId joined = g.concat({g.upsample(d, 2), g.leaky_relu(g.convolution(outer, "c5", 3, 1), 0.2)});
  g.convolution(g.batch_norm(joined, "n4"), "c6", 2, 3);
  return g;
}

struct Pass {
  at::Tensor y, dx;
  NamedTensors gradients, state;
};

// A pass forward and back in one type; float64 is computed by libtorch node by node.
Pass pass(const Graph& graph, at::ScalarType type, Mode mode, const at::Tensor& x64, const at::Tensor& dy64) {
  Network network(graph, 3);
  torch::manual_seed(4);
  {
    const torch::NoGradGuard no_grad;
    for (const auto& [name, weight] : network.weights().state()) weight.add_(torch::rand_like(weight) * 0.3);
  }
  network.weights().to(type);
  const at::Tensor x = x64.to(type).requires_grad_();
  Pass result{network.forward(x, mode), {}, {}, {}};
  result.y.backward(dy64.to(type));
  result.dx = x.grad();
  for (const auto& [name, weight] : network.weights().parameters())
    result.gradients.emplace_back(name, weight.grad());
  result.state = network.weights().state();
  return result;
}

void expect_same(const Graph& graph, Mode mode, const at::Tensor& x) {
  ASSERT_EQ(as_layers(graph).obstacle, "");
  const at::Tensor dy =
      torch::randn_like(Network(graph, 3).forward(x.to(at::kFloat), Mode::Evaluation), at::kDouble).detach();
  const Pass mine = pass(graph, at::kFloat, mode, x, dy), truth = pass(graph, at::kDouble, mode, x, dy);
  // float32 through a dozen layers; a kink passed on its other side would be 100 times as much
  EXPECT_LT(relative_difference(mine.y, truth.y), 1e-5);
  EXPECT_LT(relative_difference(mine.dx, truth.dx), 1e-4);
  double largest = 0;
  for (const auto& [name, gradient] : truth.gradients)
    largest = std::max(largest, gradient.norm().item<double>());
  for (size_t i = 0; i < truth.gradients.size(); ++i) {
    const auto& [name, gradient] = truth.gradients[i];
    EXPECT_LT((mine.gradients[i].second - gradient).norm().item<double>(), 1e-5 * largest) << name;
  }
  for (size_t i = 0; i < truth.state.size(); ++i)
    EXPECT_LT(relative_difference(mine.state[i].second, truth.state[i].second), 1e-5) << truth.state[i].first;
}

TEST(Layers, AreTheNetworkInFloat64) {
  torch::manual_seed(1);
  for (const Mode mode : {Mode::Training, Mode::Evaluation})
    expect_same(all_kinds_of_layers(), mode, torch::randn({2, 2, 22, 26}, at::kDouble));
}

// Without batch norms, with 2x2 poolings, up-sampling between corners, strides, and dense layers behind the
// body.
TEST(Layers, OfTomoganAreTheNetworkInFloat64) {
  torch::manual_seed(2);
  expect_same(tomogan({.depth = 3}), Mode::Training, torch::rand({2, 3, 24, 40}, at::kDouble));
  const Graph discriminator = tomogan_discriminator(24);
  expect_same(discriminator, Mode::Training, torch::rand({3, 1, 24, 24}, at::kDouble));
  EXPECT_LT(as_layers(discriminator).layers->body.output(), discriminator.output());
}

// As constants, weights get no gradient and what is read gets the same.
TEST(Layers, OfConstantsPassGradientsOn) {
  Network network(tomogan({.depth = 1}), 3);
  Network constants = Network(network.weights().constants());
  const at::Tensor a = torch::rand({1, 1, 16, 16}).requires_grad_(), b = a.detach().clone().requires_grad_();
  network.forward(a, Mode::Training).square().sum().backward();
  constants.forward(b, Mode::Training).square().sum().backward();
  EXPECT_TRUE(at::equal(a.grad(), b.grad()));
  for (const auto& [name, weight] : constants.weights().state()) EXPECT_FALSE(weight.requires_grad()) << name;
  {
    const torch::NoGradGuard no_grad;
    network.weights().weight("out.bias").add_(1);  // followed, as memory is shared
  }
  EXPECT_TRUE(at::equal(network.forward(a, Mode::Training), constants.forward(a, Mode::Training)));
}

TEST(Layers, OfDdnetLieInOneBufferADenseBlock) {
  const Graph graph = ddnet();
  const auto layers = as_layers(graph).layers;
  ASSERT_TRUE(layers);
  EXPECT_EQ(std::count(layers->buffer_channels.begin(), layers->buffer_channels.end(), 80), 4);
  // the skips lie beside what comes up from below
  EXPECT_EQ(std::count(layers->buffer_channels.begin(), layers->buffer_channels.end(), 32), 4 + 4);
}

TEST(Layers, DoNotDependOnTheNumberOfThreads) {
  const at::Tensor x = torch::rand({1, 1, 64, 64}, at::kDouble),
                   dy = torch::randn({1, 1, 64, 64}, at::kDouble);
  const int before = threads();
  set_threads(1);
  const Pass one = pass(ddnet({.growth = 4}), at::kFloat, Mode::Training, x, dy);
  set_threads(2);
  const Pass two = pass(ddnet({.growth = 4}), at::kFloat, Mode::Training, x, dy);
  set_threads(before);
  EXPECT_TRUE(at::equal(one.y, two.y));
  for (size_t i = 0; i < one.gradients.size(); ++i)
    EXPECT_TRUE(at::equal(one.gradients[i].second, two.gradients[i].second)) << one.gradients[i].first;
}

// What the layers cannot say is left to libtorch, still computed, and named.
TEST(Layers, LeaveOtherGraphsAlone) {
  Graph alone;
  alone.batch_norm(alone.convolution(alone.input(1), "c", 2, 3), "n");
  EXPECT_EQ(as_layers(alone).obstacle, "node 'n' is a batch norm without a convolution behind it");
  Graph twice;
  const NodeId c = twice.convolution(twice.input(1), "c", 2, 3);
  twice.concat({c, c});
  EXPECT_EQ(as_layers(twice).obstacle, "node 'c' is joined more than once, or normalised");
  Network network(twice, 1);
  EXPECT_EQ(network.forward(torch::rand({1, 1, 8, 8}), Mode::Training).size(1), 4);
}

TEST(Layers, BackwardAgainIsRefused) {
  Network network(ddnet({.growth = 2}), 1);
  const at::Tensor loss = network.forward(torch::rand({1, 1, 16, 16}), Mode::Training).sum();
  loss.backward();
  EXPECT_ANY_THROW(loss.backward());
}

}  // namespace
}  // namespace lucivox
