#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/config.h>
#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/metrics/ssim.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

struct GoldenPair {
  std::string name;
  at::Tensor a, b;  // double [1, 1, H, W]
  Json truth;
};

std::vector<GoldenPair> golden_pairs() {
  const Json json = Json::parse(read_file(LUCIVOX_GOLDEN "/ms_ssim.json"));
  const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/ms_ssim.safetensors");
  const auto tensor = [&](const std::string& name) {
    for (const auto& [key, value] : file.tensors) {
      if (key == name) return value.to(at::kDouble);
    }
    throw Error("no golden " + name);
  };
  std::vector<GoldenPair> pairs;
  for (const auto& [name, truth] : json.at("pairs").items()) {
    pairs.push_back({name, tensor(name + ".a"), tensor(name + ".b"), truth});
  }
  return pairs;
}

TEST(MsSsim, AgreesWithPytorchMsssim) {
  const auto pairs = golden_pairs();
  ASSERT_GE(pairs.size(), 3U);
  on_every_device([&](c10::Device device) {
    for (const GoldenPair& pair : pairs) {
      const Json& truth = pair.truth.at("pytorch_msssim");
      const at::Tensor a = pair.a.to(device), b = pair.b.to(device);
      EXPECT_NEAR(ssim(a, b).item<double>(), truth.at("ssim").get<double>(), 1e-6) << pair.name;
      EXPECT_NEAR(ms_ssim(a, b).item<double>(), truth.at("ms_ssim").get<double>(), 1e-6) << pair.name;
    }
  });
}

TEST(MsSsim, OfEqualImagesIsOne) {
  on_every_device([](c10::Device device) {
    const at::Tensor x = torch::rand({2, 1, 64, 48}, at::kDouble).to(device);
    for (const Normalisation normalisation : {Normalisation::Relu, Normalisation::Simple}) {
      const at::Tensor s = ms_ssim(x, x, {.ssim = {}, .normalisation = normalisation});
      EXPECT_NEAR(s[0].item<double>(), 1, 1e-12);
      EXPECT_NEAR(s[1].item<double>(), 1, 1e-12);
    }
  });
}

// An image's similarity does not depend on what else is in the batch.
TEST(MsSsim, IsOfEachImageAlone) {
  on_every_device([](c10::Device device) {
    const at::Tensor a = torch::rand({3, 1, 32, 32}, at::kDouble).to(device),
                     b = a + 0.1 * torch::rand_like(a);
    const at::Tensor together = ms_ssim(a, b);
    for (int64_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(together[i].item<double>(), ms_ssim(a.narrow(0, i, 1), b.narrow(0, i, 1)).item<double>(),
                  1e-12);
    }
  });
}

TEST(MsSsim, GradientIsThatOfFiniteDifferences) {
  on_every_device([](c10::Device device) {
    torch::manual_seed(2);
    const at::Tensor truth = torch::rand({1, 1, 32, 32}, at::kDouble).to(device);
    for (const Normalisation normalisation : {Normalisation::Relu, Normalisation::Simple}) {
      const MsSsimOptions options{.ssim = {}, .normalisation = normalisation};
      at::Tensor x = (truth + 0.05 * torch::rand_like(truth)).requires_grad_();
      ms_ssim(x, truth, options).sum().backward();
      const torch::NoGradGuard no_grad;
      const at::Tensor direction = torch::randn_like(x);
      const double step = 1e-6, slope = (x.grad() * direction).sum().item<double>();
      const double above = ms_ssim(x + step * direction, truth, options).item<double>();
      const double below = ms_ssim(x - step * direction, truth, options).item<double>();
      EXPECT_NEAR((above - below) / (2 * step), slope, 1e-6 * (1 + std::abs(slope)));
    }
  });
}

// float32 runs on a kernel of ours on the CPU, all else on libtorch's operations: one definition at every
// vector length and on every device, on sides that whole vectors do not divide and that are narrower than the
// window.
template <typename Similarity>
void expect_one_definition(const Similarity& similarity) {
  torch::manual_seed(4);
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{16, 37}, {61, 16}, {48, 50}}) {
    const at::Tensor truth = torch::rand({2, 1, rows, columns}, at::kDouble),
                     image = truth + 0.05 * torch::rand_like(truth);
    const at::Tensor x64 = image.clone().requires_grad_(), y64 = truth.clone().requires_grad_(),
                     of_images = torch::tensor({1.0, 0.3}, at::kDouble);  // each image's weight in a loss
    const at::Tensor expected = (of_images * similarity(x64, y64)).sum();
    expected.backward();
    on_every_device([&](c10::Device device) {
      for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {  // of which GPUs take no notice
        hwy::SetSupportedTargetsForTest(target);
        const at::Tensor x32 = image.to(device, at::kFloat).requires_grad_(),
                         y32 = truth.to(device, at::kFloat).requires_grad_();
        const at::Tensor value = (of_images.to(device, at::kFloat) * similarity(x32, y32)).sum();
        value.backward();
        // variances are differences of squares: float32's 6e-8 of 1 over a variance of 1e-2
        EXPECT_NEAR(value.item<double>(), expected.item<double>(), 2e-5) << hwy::TargetName(target);
        EXPECT_LT(relative_difference(x32.grad(), x64.grad()), 2e-4) << hwy::TargetName(target);
        EXPECT_LT(relative_difference(y32.grad(), y64.grad()), 2e-4) << hwy::TargetName(target);
      }
      hwy::SetSupportedTargetsForTest(0);
    });
  }
}

TEST(Ssim, IsOneDefinitionInBothPrecisions) {
  expect_one_definition([](const at::Tensor& a, const at::Tensor& b) { return ssim(a, b); });
  expect_one_definition([](const at::Tensor& a, const at::Tensor& b) {
    return ssim(a, b, {.window = 7, .sigma = 2, .data_range = 3});
  });
}

TEST(MsSsim, IsOneDefinitionInBothPrecisions) {
  expect_one_definition([](const at::Tensor& a, const at::Tensor& b) { return ms_ssim(a, b); });
}

// Where images are opposites the common definition has no gradient left; the "simple" one does.
TEST(MsSsim, SimpleNormalisationKeepsAGradientForOpposites) {
  on_every_device([](c10::Device device) {
    torch::manual_seed(3);
    const at::Tensor truth = torch::rand({1, 1, 32, 32}, at::kDouble).to(device);
    at::Tensor x = (1 - truth).requires_grad_();
    const at::Tensor s = ms_ssim(x, truth, {.ssim = {}, .normalisation = Normalisation::Simple});
    EXPECT_GT(s.item<double>(), 0);
    s.sum().backward();
    EXPECT_GT(x.grad().abs().max().item<double>(), 0);
    EXPECT_EQ(ms_ssim(x, truth).item<double>(), 0);
  });
}

TEST(MsSsim, RefusesImagesTooSmallOrUnequal) {
  EXPECT_THROW(ms_ssim(torch::zeros({1, 1, 15, 64}), torch::zeros({1, 1, 15, 64})), Error);
  EXPECT_THROW(ssim(torch::zeros({1, 1, 16, 16}), torch::zeros({1, 1, 16, 17})), Error);
  EXPECT_THROW(ssim(torch::zeros({16, 16}), torch::zeros({16, 16})), Error);
}

}  // namespace
}  // namespace lucivox
