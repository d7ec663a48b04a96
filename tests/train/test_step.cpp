#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/train/step.h>

namespace lucivox {
namespace {

// A batch whose loss is so many times the mean square error.
struct Weighed {
  at::Tensor x, y;
  double weight;
};

std::vector<Weighed> batches() {
  torch::manual_seed(5);
  std::vector<Weighed> all;
  for (const double weight : {1e5, 1e9, 1e4, 1e7}) {
    const at::Tensor y = torch::rand({1, 1, 32, 32});
    all.push_back({y + 0.1 * torch::randn_like(y), y, weight});
  }
  return all;
}

// With norms frozen: live ones take the mean off again that biases before them add, whose gradients are
// nothing but rounding then, which Adam makes whole steps of.
NamedTensors trained(const SupervisedOptions& options, c10::Device device) {
  Network network(ddnet({.growth = 2}), 1);
  network.weights().to(device);
  Adam adam(network.weights(), options.beta2);
  const Masks none;
  double weight = 1;
  const auto loss = [&](const std::vector<at::Tensor>& batch, Mode mode) {
    return weight * at::mse_loss(network.forward(batch[0], mode), batch[1]);
  };
  TrainingStep step(network, loss, adam, none, options, {});
  for (const Weighed& batch : batches()) {
    weight = batch.weight;
    step.run({batch.x.to(device), batch.y.to(device)}, Mode::Evaluation, 1e-3);
  }
  return network.weights().state();
}

// libtorch's optimiser behind its clipping of gradients, to a length that all of these exceed.
NamedTensors trained_by_libtorch(double beta2) {
  Network network(ddnet({.growth = 2}), 1);
  std::vector<at::Tensor> weights;
  for (const auto& [name, weight] : network.weights().parameters()) weights.push_back(weight);
  torch::optim::Adam adam(weights, torch::optim::AdamOptions(1e-3).betas({0.9, beta2}));
  for (const auto& [x, y, weight] : batches()) {
    adam.zero_grad();
    (weight * at::mse_loss(network.forward(x, Mode::Evaluation), y)).backward();
    EXPECT_GT(torch::nn::utils::clip_grad_norm_(weights, 1), 1);
    adam.step();
  }
  return network.weights().state();
}

double farthest_weights(const NamedTensors& a, const NamedTensors& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, largest_difference(a[i].second, b[i].second));
  return largest;
}

TEST(TrainingStep, CountsEverySampleAsMuchByGradientsOfLengthOne) {
  on_every_device([](c10::Device device) {
    SupervisedOptions options;
    const NamedTensors ours = trained(options, device);
    EXPECT_LT(farthest_weights(ours, trained_by_libtorch(options.beta2)), 1e-5);
    options.normalize_gradients = false;
    EXPECT_GT(farthest_weights(ours, trained(options, device)), 1e-3) << "one sample outweighs the others";
  });
}

TEST(TrainingStep, BearsGradientsOfNothing) {
  const Network untouched(ddnet({.growth = 2}), 1);
  on_every_device([&](c10::Device device) {
    Network network(ddnet({.growth = 2}), 1);
    network.weights().to(device);
    Adam adam(network.weights());
    const Masks none;
    TrainingStep step(network,
                      [&](const std::vector<at::Tensor>& batch, Mode mode) {
                        return 0 * network.forward(batch[0], mode).mean();
                      },
                      adam, none, SupervisedOptions(), {});
    step.run({torch::rand({1, 1, 32, 32}).to(device)}, Mode::Training, 1e-3);
    for (const auto& [name, weight] : network.weights().parameters())
      EXPECT_TRUE(at::equal(weight.cpu(), untouched.weights().weight(name))) << name;
  });
}

}  // namespace
}  // namespace lucivox
