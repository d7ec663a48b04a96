// Our side of ddnet-train: one training step of DDNet, as `lucivox train ddnet` takes it.

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "worker.h"
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn_like.h>

#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/loss.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr double kLearningRate = 1e-4;  // the paper's, section 1
constexpr int64_t kQuarter = 256;  // half the picture's side
constexpr int kCheckedSteps = 3;

// A network and its optimiser in one precision.
class Side {
 public:
  Side(const NamedTensors& weights, at::Tensor input, at::Tensor target)
      : network_(with_weights(weights, input)), input_(std::move(input)), target_(std::move(target)) {}

  // Forward and backward.
  void gradients() {
    adam_.clear_gradients();
    output_ = network_.forward(input_, Mode::Training);
    loss_ = image_loss(output_, target_, {}).total;
    loss_.backward();
  }

  void step() {
    gradients();
    adam_.set_learning_rate(kLearningRate);
    adam_.step();
    loss_.item<double>();
  }

  NamedTensors parameters() const { return network_.weights().parameters(); }
  at::Tensor output() const { return output_.detach(); }
  at::Tensor loss() const { return loss_.detach(); }

 private:
  static Network with_weights(const NamedTensors& weights, const at::Tensor& like) {
    Network network(ddnet(), kSeed);
    network.weights().load_state(weights);
    network.weights().to(like.options());
    return network;
  }

  Network network_;
  Adam adam_{network_.weights()};
  at::Tensor input_, target_, output_, loss_;
};

class Training {
 public:
  explicit Training(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Moves biases and batch norms off their initial 0 and 1, where rectifiers followed by batch norms make the
  // loss blind to some of them: their gradients would be nothing but rounding, and not comparable.
  void prepare() {
    const at::NoGradGuard no_grad;
    at::manual_seed(kSeed);
    for (const auto& [name, weight] : network_.weights().parameters()) {
      if (weight.dim() == 1) weight.add_(at::randn_like(weight), 0.1);
    }
    write_safetensors(folder_ / "weights.safetensors", {network_.weights().state(), {}});
  }

  // Steps over each quarter in float64 and in float32, and the first one over the whole.
  void check() {
    load_images();
    NamedTensors results;
    for (int64_t top : {0, 1}) {
      for (int64_t left : {0, 1}) {
        const std::string number = std::to_string(2 * top + left);
        quarter({top, left}, "exact" + number, at::kDouble, results);
        quarter({top, left}, "rounded" + number, at::kFloat, results);
      }
    }
    whole_.emplace(network_.weights().state(), input_, target_);
    whole_->step();
    results.emplace_back("output", whole_->output());
    results.emplace_back("loss", whole_->loss());
    write_safetensors(folder_ / "ours.safetensors", {results, {}});
  }

  void step() { whole_->step(); }

 private:
  void load_images() {
    for (const auto& [name, image] : read_safetensors(folder_ / "images.safetensors").tensors) {
      (name == "input" ? input_ : target_) = image;
    }
  }

  // Steps over a quarter of the picture: convolutions in float64 are slow.
  void quarter(std::array<int64_t, 2> place, const std::string& prefix, at::ScalarType type,
               NamedTensors& results) const {
    const auto cut = [&](const at::Tensor& x) {
      return x.narrow(2, place[0] * kQuarter, kQuarter).narrow(3, place[1] * kQuarter, kQuarter).to(type);
    };
    Side side(network_.weights().state(), cut(input_), cut(target_));
    side.gradients();
    results.emplace_back(prefix + ".output", side.output());
    results.emplace_back(prefix + ".loss", side.loss());
    for (const auto& [name, weight] : side.parameters())
      results.emplace_back(prefix + ".grad." + name, weight.grad().clone());
    for (int i = 0; i < kCheckedSteps; ++i) side.step();
    results.emplace_back(prefix + ".loss_after", side.loss());
  }

  std::filesystem::path folder_;
  Network network_{ddnet(), kSeed};
  std::optional<Side> whole_;
  at::Tensor input_, target_;
};

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    Training training(start(argc, argv));
    serve({{"prepare", [&] { training.prepare(); }}, {"check", [&] { training.check(); }}, {"step", [&] {
                                                                                              training.step();
                                                                                            }}});
  });
}
