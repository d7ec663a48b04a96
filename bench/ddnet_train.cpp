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
constexpr int64_t kCorner = 256;
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

  // Passes over a corner in float64 and in float32, the first step over the whole, and the loss that is left
  // after kCheckedSteps.
  void check() {
    load_images();
    NamedTensors results;
    corner("exact", at::kDouble, results);
    corner("rounded", at::kFloat, results);
    results.emplace_back("output", gradients().detach());
    results.emplace_back("loss", loss_.detach());
    adam_.step(kLearningRate);
    for (int i = 1; i < kCheckedSteps; ++i) step();
    gradients();
    results.emplace_back("loss_after", loss_.detach());
    write_safetensors(folder_ / "ours.safetensors", {results, {}});
  }

  void step() {
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

  // A pass over a corner of the picture: convolutions in float64 are slow.
  void corner(const std::string& prefix, at::ScalarType type, NamedTensors& results) const {
    Network network(ddnet(), kSeed);
    network.load_state(network_.state());
    network.to(at::TensorOptions().dtype(type));
    const auto cut = [type](const at::Tensor& x) {
      return x.slice(2, 0, kCorner).slice(3, 0, kCorner).to(type);
    };
    const at::Tensor output = network.forward(cut(input_), Mode::Training);
    const at::Tensor loss = ddnet_loss(output, cut(target_), {}).total;
    loss.backward();
    results.emplace_back(prefix + ".output", output.detach());
    results.emplace_back(prefix + ".loss", loss.detach());
    for (const auto& [name, weight] : network.parameters())
      results.emplace_back(prefix + ".grad." + name, weight.grad());
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
