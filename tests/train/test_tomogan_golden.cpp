// TomoGAN's networks, losses and their gradients against PyTorch's (tests/golden/make_tomogan.py).
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/networks/vgg.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/adversarial.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox {
namespace {

constexpr int64_t kSide = 32;

at::Tensor golden(const std::string& name) {
  static const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/tomogan.safetensors");
  for (const auto& [key, tensor] : file.tensors) {
    if (key == name) return tensor;
  }
  throw Error("no golden " + name);
}

// The script's numbers, of which its weights and images are made.
at::Tensor scrambled(int64_t count, int64_t seed) {
  at::Tensor values = torch::empty({count}, at::kDouble);
  double* to = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    auto x = static_cast<uint64_t>(i + 1000003 * seed);
    for (const uint64_t factor : {0x7FEB352DULL, 0x846CA68BULL})
      x = ((x ^ (x >> 16)) * factor) & 0xFFFFFFFFULL;
    to[i] = static_cast<double>(x ^ (x >> 16)) / 2147483648.0 - 1;
  }
  return values;
}

at::Tensor image(at::IntArrayRef shape, int64_t seed) {
  return 0.5 + 0.4 * scrambled(c10::multiply_integers(shape), seed).view(shape);
}

// The weights that the script fills networks with, their number going on from `first`.
void fill(const NamedTensors& weights, int64_t first = 0) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, weight] : weights) {
    const bool bias = weight.dim() == 1;
    const double scale = bias ? 0.05 : std::sqrt(6.0 / static_cast<double>(weight[0].numel()));
    weight.copy_(scale * scrambled(weight.numel(), first++).view(weight.sizes()));
  }
}

Network filled(const Graph& graph, c10::Device device) {
  Network network(graph, 0);
  network.weights().to(at::TensorOptions(at::kDouble).device(device));
  fill(network.weights().parameters());
  return network;
}

// A file with VGG's weights as a user has it.
std::string vgg_weights(const std::filesystem::path& folder, int64_t layers) {
  TensorFile file;
  for (const Graph& block : vgg_blocks(layers)) {
    for (const WeightSpec& spec : block.weights())
      file.tensors.emplace_back(spec.name, torch::empty(spec.shape, at::kDouble));
  }
  fill(file.tensors);
  for (auto& [name, tensor] : file.tensors) tensor = tensor.to(at::kFloat);
  const std::filesystem::path path = folder / "vgg.safetensors";
  write_safetensors(path, file);
  return path.string();
}

void expect_gradients(const std::string& of, const Network& network) {
  for (const auto& [name, weight] : network.weights().parameters()) {
    const at::Tensor gradient = weight.grad().flatten().cpu();
    const at::Tensor mine = torch::stack({gradient.norm(), gradient.dot(scrambled(gradient.numel(), 5))});
    EXPECT_LT(relative_difference(mine, golden(fmt::format("{}.{}", of, name))), 1e-5) << name;
  }
}

class TomoganGolden : public ::testing::Test {
 protected:
  static Network generator(c10::Device device) { return filled(tomogan({.depth = 3}), device); }
  static Network discriminator(c10::Device device) { return filled(tomogan_discriminator(kSide), device); }

  const at::Tensor noisy_ = image({2, 3, kSide, kSide}, 3), clean_ = image({2, 1, kSide, kSide}, 4);
  const LossOptions loss_ = tomogan_training().loss;
};

TEST_F(TomoganGolden, GeneratorAgrees) {
  const torch::NoGradGuard no_grad;
  on_every_device([&](c10::Device device) {
    const at::Tensor made = generator(device).forward(noisy_.to(device), Mode::Evaluation);
    EXPECT_LT(relative_difference(made, golden("made")), 1e-10);
  });
}

TEST_F(TomoganGolden, DiscriminatorAndItsLossAgree) {
  on_every_device([&](c10::Device device) {
    Network network = discriminator(device);
    const at::Tensor of_clean = network.forward(clean_.to(device), Mode::Training),
                     of_made = network.forward(golden("made").to(device), Mode::Training);
    EXPECT_LT(relative_difference(of_clean.flatten(), golden("logits_clean").flatten()), 1e-10);
    EXPECT_LT(relative_difference(of_made.flatten(), golden("logits_made").flatten()), 1e-10);
    const at::Tensor loss = discriminator_loss(of_clean, of_made);
    EXPECT_LT(relative_difference(loss, golden("discriminator_loss")), 1e-10);
    loss.backward();
    expect_gradients("discriminator", network);
  });
}

// All three parts together, through the discriminator and through VGG-19, whose weights are float32.
TEST_F(TomoganGolden, GeneratorsLossAgrees) {
  TemporaryFolder folder;
  PerceptualOptions perceptual = loss_.perceptual;
  perceptual.weights = vgg_weights(folder.path(), 19);
  on_every_device([&](c10::Device device) {
    Perception perception(perceptual, device);
    perception.to(at::kDouble);
    Network making = generator(device);
    const Network judging = discriminator(device);
    Network judge = Network(judging.weights().constants());

    const at::Tensor clean = clean_.to(device), made = making.forward(noisy_.to(device), Mode::Training);
    const at::Tensor adversarial = generator_loss(judge.forward(made, Mode::Evaluation)),
                     mse = image_loss(made, clean, loss_).total, features = perception.loss(made, clean);
    EXPECT_LT(relative_difference(adversarial, golden("adversarial")), 1e-10);
    EXPECT_LT(relative_difference(mse, 0.5 * golden("mse")), 1e-10);
    EXPECT_LT(relative_difference(features, 2 * golden("perceptual")), 1e-5);
    const at::Tensor total = loss_.adversarial * adversarial + mse + features;
    EXPECT_LT(relative_difference(total, golden("total")), 1e-5);
    total.backward();
    expect_gradients("generator", making);
    for (const auto& [name, weight] : judging.weights().parameters())
      EXPECT_FALSE(weight.grad().defined()) << name;
  });
}

struct Perceived {
  std::string name;
  int64_t layers;
  PerceptualOptions options;
};

class PerceptualGolden : public ::testing::TestWithParam<Perceived> {};

TEST_P(PerceptualGolden, LossAndGradientAgree) {
  TemporaryFolder folder;
  PerceptualOptions options = GetParam().options;
  options.network = "vgg" + std::to_string(GetParam().layers);
  options.weights = vgg_weights(folder.path(), GetParam().layers);
  const at::Tensor clean = image({2, 1, kSide, kSide}, 4),
                   weight = torch::tensor(GetParam().name == "tomogan" ? 2.0 : 1.0, at::kDouble),
                   truth = weight * golden("perceptual." + GetParam().name),
                   gradient = weight * golden("perceptual." + GetParam().name + ".gradient");
  on_every_device([&](c10::Device device) {
    Perception perception(options, device);
    // through our kernels, on the CPU, in float32: up to 16 layers, and kinks that fall to the other side
    for (const auto& [type, bound] : {std::pair(at::kDouble, 1e-5), std::pair(at::kFloat, 1e-3)}) {
      perception.to(type);
      const at::Tensor output = golden("made").to(device, type, false, true).requires_grad_();
      const at::Tensor loss = perception.loss(output, clean.to(device, type));
      loss.backward();
      EXPECT_LT(relative_difference(loss, truth), 1e-5) << type;
      EXPECT_LT(relative_difference(output.grad(), gradient), bound) << type;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(, PerceptualGolden,
                         ::testing::Values(Perceived{"tomogan", 19, tomogan_training().loss.perceptual},
                                           Perceived{"ddnet", 16, PerceptualOptions()}),
                         [](const auto& instance) { return instance.param.name; });

// A file of PyTorch's that holds no more than the blocks that are asked for.
TEST(Perception, ReadsAPyTorchStateDict) {
  const PerceptualOptions options{
      .network = "vgg16", .weights = LUCIVOX_GOLDEN "/vgg_block1.pth", .blocks = {1, 0, 0, 0, 0}};
  on_every_device([&](c10::Device device) {
    Perception perception(options, device);
    const at::Tensor clean = image({2, 1, kSide, kSide}, 4).to(device, at::kFloat),
                     made = golden("made").to(device, at::kFloat);
    EXPECT_LT(relative_difference(perception.loss(made, clean), golden("perceptual.block1")), 1e-5);
  });
}

TEST(Perception, WantsTheWeightsOfItsNetwork) {
  TemporaryFolder folder;
  PerceptualOptions options{
      .network = "vgg19", .weights = {}, .input = "keras", .distance = "mse", .blocks = {1, 0, 0, 0, 0}};
  EXPECT_THROW(Perception(options, at::kCPU), Error);  // none
  options.weights = (folder.path() / "none.safetensors").string();
  EXPECT_THROW(Perception(options, at::kCPU), Error);  // missing
  write_safetensors(options.weights, {{{"features.0.weight", torch::zeros({64, 3, 3, 3})}}, {}});
  EXPECT_THROW(Perception(options, at::kCPU), Error);  // without a bias
  const auto refused = [](const auto& damage) {
    PerceptualOptions bad;
    damage(bad);
    EXPECT_THROW(check(bad), Error);
  };
  refused([](PerceptualOptions& o) { o.network = "resnet"; });
  refused([](PerceptualOptions& o) { o.input = "bgr"; });
  refused([](PerceptualOptions& o) { o.distance = "l3"; });
  refused([](PerceptualOptions& o) { o.blocks = {1, 2}; });
  refused([](PerceptualOptions& o) { o.blocks = {0, 0, 0, 0, 0}; });
}

}  // namespace
}  // namespace lucivox
