// Our side of msd-train: one training step of a Mixed-Scale Dense network on a patch.

#include <filesystem>
#include <utility>

#include "worker.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/msdnet.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/adam.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kSide = 48, kDepth = 40;
constexpr double kLearningRate = 1e-3;

class Training {
 public:
  explicit Training(std::filesystem::path folder)
      : folder_(std::move(folder)), network_(msdnet({.depth = kDepth}), kSeed) {
    at::manual_seed(kSeed);
    input_ = at::randn({1, 1, kSide, kSide, kSide});
    classes_ = at::randint(0, 2, {1, 1, kSide, kSide, kSide}, at::kLong);
    const at::NoGradGuard no_grad;
    // outputs begin at 0, which would hide the gradients of all else
    for (const auto& [name, weight] : network_.weights().parameters()) {
      if (weight.dim() == 1 || name.starts_with("out.")) weight.normal_(0, 0.1);
    }
  }

  void prepare() {
    NamedTensors all = network_.weights().state();
    all.emplace_back("input", input_);
    all.emplace_back("classes", classes_.to(at::kInt));
    write_safetensors(folder_ / "network.safetensors", {all, {}});
  }

  void check() {
    gradients();
    NamedTensors all{{"loss", loss_.detach()}};
    for (const auto& [name, weight] : network_.weights().parameters())
      all.emplace_back("grad." + name, weight.grad().clone());
    write_safetensors(folder_ / "ours.safetensors", {all, {}});
  }

  void step() {
    gradients();
    adam_.set_learning_rate(kLearningRate);
    adam_.step();
  }

 private:
  void gradients() {
    adam_.clear_gradients();
    loss_ = -network_.forward(input_, Mode::Training).gather(1, classes_).log().mean();
    loss_.backward();
  }

  std::filesystem::path folder_;
  Network network_;
  Adam adam_{network_.weights()};
  at::Tensor input_, classes_, loss_;
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
