#include <numeric>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <torch/types.h>

#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/train/histogram.h>

namespace lucivox {
namespace {

// A freshly drawn network is N(0, 0.01): the limit is 0.04, and the middle bins hold what the error function
// says.
TEST(WeightHistogram, OfANewNetworkIsNormal) {
  on_every_device([](c10::Device device) {
    Weights network(ddnet(), 1);
    network.to(device);
    const double limit = histogram_limit(network);
    EXPECT_NEAR(limit, 0.04, 0.0005);
    const std::vector<int64_t> counts = weight_histogram(network, {}, limit).counts;
    const auto all = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    int64_t weights = 0;
    for (const auto& [name, weight] : network.parameters()) weights += weight.dim() == 4 ? weight.numel() : 0;
    EXPECT_EQ(all, weights) << "outliers are counted too";
    ASSERT_EQ(counts.size(), 81U);  // each 8/81 of a standard deviation
    const auto middle = std::accumulate(counts.begin() + 30, counts.begin() + 51, int64_t{0});
    EXPECT_NEAR(static_cast<double>(middle) / static_cast<double>(all), 0.7003,
                0.003);  // erf(10.5 * 8/81 / sqrt 2)
  });
}

TEST(WeightHistogram, LeavesOutWhatIsPruned) {
  const torch::NoGradGuard no_grad;
  on_every_device([](c10::Device device) {
    Weights network(ddnet({.growth = 2}), 1);
    network.to(device);
    const at::Tensor& weight = network.weight("conv1.weight");
    const at::Tensor mask = (weight > 0).to(torch::kFloat);
    const auto sum = [&](const Masks& masks) {
      const auto counts = weight_histogram(network, masks, 0.1).counts;
      return std::accumulate(counts.begin(), counts.end(), int64_t{0});
    };
    EXPECT_EQ(sum({}) - sum({{"conv1.weight", mask}}), (weight <= 0).sum().item<int64_t>());
  });
}

}  // namespace
}  // namespace lucivox
