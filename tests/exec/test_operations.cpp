// Every operation, in two and three dimensions, against PyTorch (tests/golden/make_operations.py).
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/exec/network.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

const TensorFile& golden() {
  static const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/operations.safetensors");
  return file;
}

// Of a case, by what stands behind its name; undefined when there is none.
at::Tensor tensor(const std::string& name, const std::string& what) {
  const std::string wanted = fmt::format("{}.{}", name, what);
  for (const auto& [key, value] : golden().tensors) {
    if (key == wanted) return value;
  }
  return {};
}

TEST(Operations, AreThoseOfPytorch) {
  ASSERT_GE(golden().metadata.size(), 36U);
  on_every_device([](c10::Device device) {
    for (const auto& [name, json] : golden().metadata) {
      SCOPED_TRACE(name);
      Weights weights(graph_from_json(Json::parse(json)), 1);
      weights.to(at::TensorOptions(at::kDouble).device(device));
      NamedTensors given;
      for (const WeightSpec& spec : weights.graph().weights())
        given.emplace_back(spec.name, tensor(name, spec.name.substr(2)));  // behind "y."
      weights.load_state(given);
      Network network(std::move(weights));
      const at::Tensor x = tensor(name, "input").to(device).clone().requires_grad_(true);
      const at::Tensor y = network.forward(x, Mode::Evaluation);
      EXPECT_LT(relative_difference(y, tensor(name, "output")), 1e-13);
      (y * tensor(name, "probe").to(device)).sum().backward();
      EXPECT_LT(relative_difference(x.grad(), tensor(name, "grad.input")), 1e-13);
      for (const auto& [key, weight] : network.weights().parameters())
        EXPECT_LT(relative_difference(weight.grad(), tensor(name, "grad." + key.substr(2))), 1e-13) << key;
    }
  });
}

// What a file says is what is written again.
TEST(Operations, ComeBackFromTheirDescription) {
  for (const auto& [name, json] : golden().metadata) {
    const Graph graph = graph_from_json(Json::parse(json));
    EXPECT_EQ(graph_from_json(to_json(graph)), graph) << name;
  }
}

// Sums, and joins, of what two branches make.
TEST(Operations, AddWhatIsAlike) {
  Graph g("sum", Initialisation::Glorot, 3);
  const NodeId x = g.input(2), a = g.convolution(x, "a", 2, 3), b = g.convolution(x, "b", 2, 1);
  g.add(Add{}, {a, b, x});
  const at::Tensor image = torch::randn({1, 2, 4, 5, 6});
  on_every_device([&](c10::Device device) {
    Network network(g, 3);
    const Weights& w = network.weights();
    const at::Tensor truth = at::conv3d(image, w.weight("a.weight"), w.weight("a.bias"), 1, 1) +
                             at::conv3d(image, w.weight("b.weight"), w.weight("b.bias")) + image;
    network.weights().to(device);
    EXPECT_LT(relative_difference(network.forward(image.to(device), Mode::Evaluation), truth), 1e-6);
  });
}

// What our kernels do not compute is computed all the same, and gives what the rest did.
TEST(Operations, FallBackToLibtorch) {
  Graph g;
  const NodeId a = g.leaky_relu(g.convolution(g.input(1), "a", 3, 3));
  g.add(Swish{}, {g.convolution(a, "b", 1, 3, 1, 2)});
  const at::Tensor x = torch::randn({1, 1, 16, 16});
  on_every_device([&](c10::Device device) {
    Network network(g, 1);
    const Weights& w = network.weights();
    const at::Tensor y = at::leaky_relu(at::conv2d(x, w.weight("a.weight"), w.weight("a.bias"), 1, 1), 0.01);
    const at::Tensor truth = at::silu(at::conv2d(y, w.weight("b.weight"), w.weight("b.bias"), 1, 2, 2));
    network.weights().to(device);
    EXPECT_LT(relative_difference(network.forward(x.to(device), Mode::Evaluation), truth), 1e-6);
  });
}

}  // namespace
}  // namespace lucivox
