#pragma once

#include <string>
#include <vector>

#include <c10/core/Device.h>

#include <lucivox/exec/network.h>

namespace lucivox {

// How differently two images look to a network that was trained to recognise photographs: distances between
// the features that blocks of VGG make of them (Johnson et al., ECCV 2016). By default as the public DDNet
// code has it: mean absolute differences behind the first and the third block, with its weights for VGG-16;
// for VGG-19 it has 0.04 and 0.04. TomoGAN's code has 2 times the mean square behind the fifth of VGG-19,
// with Keras's weights and input.
struct PerceptualOptions {
  std::string network = "none";       // vgg16, vgg19
  std::string weights;                // safetensors or a PyTorch state dict with torchvision's names
  std::string input = "torchvision";  // what the weights were trained on, also "keras"
  std::string distance = "l1";        // or "mse"
  std::vector<double> blocks{0.03, 0, 0.05, 0, 0};  // the weight of each block's features

  bool wanted() const { return network != "none"; }

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("network", self.network);
    visit("weights", self.weights);
    visit("input", self.input);
    visit("distance", self.distance);
    visit("blocks", self.blocks);
  }
};
// What DDNet's training takes for VGG-19 when nothing is said (options.h).
inline const std::vector<double> kBlocksOfVgg19{0.04, 0, 0.04, 0, 0};

// Throws Error (misuse) for unknown names and weights that make no sense.
void check(const PerceptualOptions& options);

class Perception {
 public:
  // Throws Error when the file is missing, damaged or of another network.
  Perception(const PerceptualOptions& options, c10::Device device);

  // Changes the type of what it computes.
  void to(at::ScalarType type);

  // Weighted and summed, a scalar, differentiable in `output`; both [N, 1, H, W] in unit range.
  at::Tensor loss(const at::Tensor& output, const at::Tensor& target);

 private:
  at::Tensor input(const at::Tensor& unit) const;
  at::Tensor distance(const at::Tensor& a, const at::Tensor& b) const;

  PerceptualOptions options_;
  std::vector<Network> blocks_;  // up to the last one with a weight
  at::Tensor scale_, shift_;     // of each colour, from unit range to the network's
};

}  // namespace lucivox
