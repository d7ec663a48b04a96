// Our side of tomogan-train: one update of TomoGAN's generator and two of its discriminator, as
// `lucivox train tomogan` makes them with the losses of the paper.

#include <filesystem>
#include <optional>
#include <utility>

#include "worker.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/adversarial.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/perception.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kSide = 256, kCorner = 64;
constexpr int kUpdates = 2, kCheckedSteps = 3;

// A network and its optimiser.
struct Player {
  Player(const Graph& graph, const NamedTensors& weights, const at::TensorOptions& as)
      : network(graph, kSeed) {
    network.weights().load_state(weights);
    network.weights().to(as);
    adam.emplace(network.weights());
    adam->set_learning_rate(tomogan_training().learning_rate);
  }

  // From the gradients of this loss.
  void update(const at::Tensor& loss) {
    adam->clear_gradients();
    loss.backward();
    adam->step();
  }

  Network network;
  std::optional<Adam> adam;
};

// Both players in one precision.
class Side {
 public:
  Side(const NamedTensors& generator, const NamedTensors& discriminator, const LossOptions& options,
       at::Tensor noisy, at::Tensor clean)
      : options_(options),
        generator_(tomogan(), generator, noisy.options()),
        discriminator_(tomogan_discriminator(clean.size(2)), discriminator, noisy.options()),
        judge_(discriminator_.network.weights().constants()),
        perception_(options.perceptual, at::kCPU),
        noisy_(std::move(noisy)),
        clean_(std::move(clean)) {
    perception_.to(clean_.scalar_type());
  }

  void step() {
    made_ = generator_.network.forward(noisy_, Mode::Training);
    loss_ = image_loss(made_, clean_, options_).total + perception_.loss(made_, clean_) +
            options_.adversarial * generator_loss(judge_.forward(made_, Mode::Evaluation));
    generator_.update(loss_);
    for (int update = 0; update < kUpdates; ++update) {
      at::Tensor made;
      {
        const at::NoGradGuard no_grad;
        made = generator_.network.forward(noisy_, Mode::Evaluation);
      }
      const auto logits = discriminator_.network.forward(at::cat({clean_, made}), Mode::Training).chunk(2);
      opponent_loss_ = discriminator_loss(logits[0], logits[1]);
      discriminator_.update(opponent_loss_);
    }
    loss_.item<double>();
  }

  // What the last step came to.
  void tell(const std::string& prefix, NamedTensors& results) const {
    results.emplace_back(prefix + ".made", made_.detach().clone());
    results.emplace_back(prefix + ".loss", loss_.detach());
    results.emplace_back(prefix + ".opponent_loss", opponent_loss_.detach());
    for (const auto& [name, player] :
         {std::pair("generator", &generator_), std::pair("discriminator", &discriminator_)}) {
      for (const auto& [weight, value] : player->network.weights().parameters())
        results.emplace_back(prefix + ".grad." + name + "." + weight, value.grad().clone());
    }
  }

 private:
  LossOptions options_;
  Player generator_, discriminator_;
  Network judge_;
  Perception perception_;
  at::Tensor noisy_, clean_, made_, loss_, opponent_loss_;
};

class Training {
 public:
  explicit Training(std::filesystem::path folder) : folder_(std::move(folder)) {
    options_.perceptual.weights = (folder_ / "vgg19.safetensors").string();
  }

  void prepare() {
    NamedTensors weights;
    for (const auto& [name, network] :
         {std::pair("generator", &generator_), std::pair("discriminator", &discriminator_),
          std::pair("small", &small_)}) {
      for (const auto& [weight, value] : network->weights().state())
        weights.emplace_back(std::string(name) + "." + weight, value);
    }
    write_safetensors(folder_ / "weights.safetensors", {weights, {}});
  }

  // Steps over a corner in float64 and in float32, and the first ones over the whole.
  void check() {
    for (const auto& [name, image] : read_safetensors(folder_ / "images.safetensors").tensors) {
      (name == "noisy" ? noisy_ : clean_) = image;
    }
    NamedTensors results;
    for (const auto& [prefix, type] : {std::pair("exact", at::kDouble), std::pair("rounded", at::kFloat)}) {
      const auto cut = [type = type](const at::Tensor& x) {
        return x.slice(2, 0, kCorner).slice(3, 0, kCorner).to(type);
      };
      Side side(generator_.weights().state(), small_.weights().state(), options_, cut(noisy_), cut(clean_));
      side.step();
      side.tell(prefix, results);
      for (int step = 1; step < kCheckedSteps; ++step) side.step();
      side.tell(std::string(prefix) + ".after", results);
    }
    whole_.emplace(generator_.weights().state(), discriminator_.weights().state(), options_, noisy_, clean_);
    whole_->step();
    whole_->tell("whole", results);
    write_safetensors(folder_ / "ours.safetensors", {results, {}});
  }

  void step() { whole_->step(); }

 private:
  std::filesystem::path folder_;
  LossOptions options_ = tomogan_training().loss;
  Network generator_{tomogan(), kSeed}, discriminator_{tomogan_discriminator(kSide), kSeed},
      small_{tomogan_discriminator(kCorner), kSeed};
  std::optional<Side> whole_;
  at::Tensor noisy_, clean_;
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
