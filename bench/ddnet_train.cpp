// Our side of ddnet-train: one training step of DDNet, as `lucivox train ddnet` takes it.

#include <filesystem>
#include <utility>

#include "worker.h"
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn_like.h>

#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/memory.h>
#include <lucivox/nn/network.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/loss.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr double kLearningRate = 1e-4;  // the paper's, section 1
constexpr int kCheckedSteps = 3;

class Training {
 public:
  explicit Training(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Moves biases and batch norms off their initial 0 and 1, where rectifiers followed by batch norms make the
  // loss blind to some of them: their gradients would be nothing but rounding, and not comparable.
  void prepare() {
    const at::NoGradGuard no_grad;
    at::manual_seed(kSeed);
    for (const auto& [name, weight] : network_.parameters()) {
      if (weight.dim() == 1) weight.add_(at::randn_like(weight), 0.1);
    }
    write_safetensors(folder_ / "weights.safetensors", {network_.state(), {}});
  }

  // The first step in float64 and in float32, then the loss that is left after kCheckedSteps.
  void check() {
    load_images();
    NamedTensors results = exact();
    results.emplace_back("output", gradients().detach());
    results.emplace_back("loss", loss_.detach());
    for (const auto& [name, weight] : network_.parameters()) results.emplace_back("grad." + name, weight.grad());
    adam_.step(kLearningRate);
    for (int i = 1; i < kCheckedSteps; ++i) step();
    gradients();
    results.emplace_back("loss_after", loss_.detach());
    write_safetensors(folder_ / "ours.safetensors", {results, {}});
  }

  void step() {
    if (!input_.defined()) load_images();
    gradients();
    adam_.step(kLearningRate);
    loss_.item<float>();
  }

 private:
  void load_images() {
    for (const auto& [name, image] : read_safetensors(folder_ / "images.safetensors").tensors) {
      (name == "input" ? input_ : target_) = image;
    }
  }

  NamedTensors exact() const {
    Network network(ddnet(), kSeed);
    network.load_state(network_.state());
    network.to(at::TensorOptions().dtype(at::kDouble));
    const at::Tensor output = network.forward(input_.to(at::kDouble), Mode::Training);
    const at::Tensor loss = ddnet_loss(output, target_.to(at::kDouble), {}).total;
    loss.backward();
    NamedTensors results{{"exact.output", output.detach()}, {"exact.loss", loss.detach()}};
    for (const auto& [name, weight] : network.parameters()) results.emplace_back("exact.grad." + name, weight.grad());
    return results;
  }

  // Forward and backward; returns the output.
  at::Tensor gradients() {
    adam_.clear_gradients();
    at::Tensor output = network_.forward(input_, Mode::Training);
    loss_ = ddnet_loss(output, target_, {}).total;
    loss_.backward();
    return output;
  }

  std::filesystem::path folder_;
  Network network_{ddnet(), kSeed};
  Adam adam_{network_};
  at::Tensor input_, target_, loss_;
};

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    lucivox::keep_tensor_memory();  // as the command does
    Training training(start(argc, argv));
    serve({{"prepare", [&] { training.prepare(); }}, {"check", [&] { training.check(); }}, {"step", [&] {
                                                                                              training.step();
                                                                                            }}});
  });
}
