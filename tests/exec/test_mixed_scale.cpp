// Mixed-Scale Dense networks against PyTorch (tests/golden/make_msdnet.py), and our kernels against libtorch.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/table.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

const TensorFile& networks() {
  static const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/msdnet.safetensors");
  return file;
}

const at::Tensor& truth(const std::string& name, const std::string& what) {
  for (const auto& [key, value] : networks().tensors) {
    if (key == fmt::format("{}.{}", name, what)) return value;
  }
  throw std::runtime_error(name + " has no " + what);
}

Network network_of(const std::string& name, const std::string& options, const at::TensorOptions& like) {
  Weights weights(network_kind("msdnet").build(Json::parse(options)), 1);
  weights.to(like);
  NamedTensors given;
  for (const WeightSpec& spec : weights.graph().weights())
    given.emplace_back(spec.name, truth(name, spec.name));
  weights.load_state(given);
  return Network(std::move(weights));
}

TEST(MixedScale, IsThatOfPytorch) {
  ASSERT_EQ(networks().metadata.size(), 5U);
  on_every_device([](c10::Device device) {
    for (const auto& [name, options] : networks().metadata) {
      SCOPED_TRACE(name);
      Network network = network_of(name, options, at::TensorOptions(at::kDouble).device(device));
      const at::Tensor x = truth(name, "input").to(device).clone().requires_grad_(true);
      const at::Tensor y = network.forward(x, Mode::Training);
      EXPECT_LT(relative_difference(y, truth(name, "output")), 1e-13);
      (y * truth(name, "probe").to(device)).sum().backward();
      EXPECT_LT(relative_difference(x.grad(), truth(name, "grad.input")), 1e-12);
      for (const auto& [key, weight] : network.weights().parameters())
        EXPECT_LT(relative_difference(weight.grad(), truth(name, "grad." + key)), 1e-12) << key;
    }
  });
}

// Every instruction set of this CPU: 12 layers carry float32's 1e-7 to less than 1e-5, in gradients too where
// no map's kink lies so near that rounding decides.
TEST(MixedScale, IsTheSameByOurKernels) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (const auto& [name, options] : networks().metadata) {
      SCOPED_TRACE(fmt::format("{} by {}", name, hwy::TargetName(target)));
      Network network = network_of(name, options, at::kFloat);
      ASSERT_TRUE(as_mixed_scale(network.graph()));
      const at::Tensor x = truth(name, "input").to(at::kFloat).requires_grad_(true);
      const at::Tensor y = network.forward(x, Mode::Training);
      EXPECT_LT(relative_difference(y, truth(name, "output")), 1e-5);
      (y * truth(name, "probe").to(at::kFloat)).sum().backward();
      EXPECT_LT(relative_difference(x.grad(), truth(name, "grad.input")), 1e-5);
      // all at once: a bias's alone is one sum of numbers of both signs
      std::vector<at::Tensor> gradients, of_pytorch;
      for (const auto& [key, weight] : network.weights().parameters()) {
        gradients.push_back(weight.grad().flatten());
        of_pytorch.push_back(truth(name, "grad." + key).flatten());
      }
      EXPECT_LT(relative_difference(at::cat(gradients), at::cat(of_pytorch)), 1e-5);
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Sizes around those of vectors, and an axis shorter than the widest dilation.
TEST(MixedScale, TakesVolumesOfAnySize) {
  const at::NoGradGuard no_grad;
  for (const char* border : {"reflect", "zeros"}) {
    const Json options{{"depth", 5}, {"dilations", {1, 7, 3}}, {"width", 2}, {"border", border}};
    Network network(network_kind("msdnet").build(options), 3);
    network.weights().weight("out.weight").normal_();
    Weights exact_weights(network.graph(), 3);
    exact_weights.load_state(network.weights().state());
    exact_weights.to(at::kDouble);
    Network exact(std::move(exact_weights));
    for (const int64_t x : {1, 2, 7, 8, 15, 16, 17, 31, 33, 48, 63, 65, 97}) {
      const at::Tensor image = torch::randn({1, 1, 3, 5, x});
      EXPECT_LT(relative_difference(network.forward(image, Mode::Evaluation),
                                    exact.forward(image.to(at::kDouble), Mode::Evaluation)),
                1e-5)
          << border << ", " << x;
    }
  }
}

TEST(MixedScale, BeginsAsThePublicCodesDo) {
  const Network network(network_kind("msdnet").build(Json::object()), 1);
  EXPECT_EQ(network.graph().parameter_count(), 27 * 86 * 87 / 2 + 86 + 2 * 87 + 2);
  const at::Tensor& last = network.weights().weight("layer85.weight");
  EXPECT_NEAR(last.std().item<double>(), std::sqrt(2.0 / (27 * 86 + 2)),
              0.03 * std::sqrt(2.0 / (27 * 86 + 2)));
  EXPECT_EQ(network.weights().weight("out.weight").abs().max().item<double>(), 0);
}

// Of other graphs only the pieces look alike.
TEST(MixedScale, IsNoOtherGraph) {
  Graph g("custom", Initialisation::Glorot, 3);
  const NodeId x = g.input(1), a = g.relu(g.convolution(x, "a", 1, 3)),
               b = g.relu(g.convolution(a, "b", 1, 3));
  g.convolution(g.concat({x, a, b}), "out", 1, 1);
  EXPECT_FALSE(as_mixed_scale(g));
  EXPECT_TRUE(as_mixed_scale(network_kind("msdnet").build(Json{{"depth", 1}})));
}

}  // namespace
}  // namespace lucivox
