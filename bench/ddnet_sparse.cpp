// Our sides of ddnet-sparse: one training step of DDNet, dense or after half of it was pruned, as `lucivox
// train ddnet` takes it in either phase. `bench_ddnet_sparse dense|CRITERION FOLDER THREADS`.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "worker.h"
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn_like.h>

#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/nn/shrinking.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/sparse/shrink.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/loss.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kSize = 512;
constexpr double kAmount = 0.5, kLearningRate = 1e-4;
constexpr char kStructured[] = "filters-l1";  // what both sides compute to show that they agree

Masks masks_of(const Network& network, const std::string& criterion) {
  return pruning_masks(network.weights(), {.criterion = criterion, .amount = kAmount}, kSeed);
}

// A network with its optimiser, masks held.
class Side {
 public:
  Side(Network network, Masks masks) : network_(std::move(network)), masks_(std::move(masks)) {
    at::manual_seed(kSeed);
    input_ = at::rand({1, 1, kSize, kSize});
    target_ = at::rand({1, 1, kSize, kSize});
  }

  void gradients() {
    adam_.clear_gradients();
    output_ = network_.forward(input_, Mode::Training);
    image_loss(output_, target_, {}).total.backward();
    mask_gradients(masks_, network_.weights());
  }

  void step() {
    gradients();
    adam_.set_learning_rate(kLearningRate);
    adam_.step();
  }

  at::Tensor output() const { return output_.detach(); }
  NamedTensors weight_gradients() const {
    NamedTensors all;
    for (const auto& [name, weight] : network_.weights().parameters())
      all.emplace_back(name, weight.grad().clone());
    return all;
  }

 private:
  Network network_;
  Masks masks_;
  Adam adam_{network_.weights()};
  at::Tensor input_, target_, output_;
};

class Training {
 public:
  Training(std::string variant, std::filesystem::path folder)
      : variant_(std::move(variant)), folder_(std::move(folder)) {}

  // The dense side keeps its network whole and holds masks; ours is shrunk, its gradients put back in their
  // places.
  void check() {
    Network pruned = moved();
    const Masks masks = masks_of(pruned, kStructured);
    apply_masks(masks, pruned.weights());
    const Shrinking removed = removable_channels(pruned.weights());
    const bool whole = variant_ == "dense";
    Side side(whole ? std::move(pruned) : Network(shrink(removed, pruned.weights())),
              whole ? masks : Masks{});
    side.gradients();
    NamedTensors results = whole ? side.weight_gradients() : expand(removed, side.weight_gradients());
    results.emplace_back("output", side.output());
    write_safetensors(folder_ / (whole ? "peer.safetensors" : "ours.safetensors"), {results, {}});
    timed_.emplace(timed_side());
  }

  void step() { timed_->step(); }

 private:
  // Biases and batch norms begin at 0 and 1, where what reads them wrongly would not show.
  static Network moved() {
    Network network(ddnet(), kSeed);
    at::manual_seed(kSeed);
    const at::NoGradGuard no_grad;
    for (const auto& [name, weight] : network.weights().parameters()) {
      if (weight.dim() == 1) weight.add_(at::randn_like(weight), 0.1);
    }
    return network;
  }

  // As training goes on after pruning: smaller where channels went, else whole with its masks held.
  Side timed_side() const {
    Network network(ddnet(), kSeed);
    if (variant_ == "dense") return {std::move(network), {}};
    Masks masks = masks_of(network, variant_);
    apply_masks(masks, network.weights());
    if (variant_ != kStructured) return {std::move(network), std::move(masks)};
    return {Network(shrink(removable_channels(network.weights()), network.weights())), {}};
  }

  std::string variant_;
  std::filesystem::path folder_;
  std::optional<Side> timed_;
};

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    const std::string variant = argc > 1 ? argv[1] : "";
    Training training(variant, start(argc - 1, argv + 1));
    serve({{"prepare", [] {}}, {"check", [&] { training.check(); }}, {"step", [&] { training.step(); }}});
  });
}
