#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/networks/vgg.h>
#include <lucivox/nn/pytorch_file.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/perception.h>

namespace lucivox {
namespace {

NamedTensors read_weights(const std::string& path) {
  if (path.empty())
    throw Error::misuse("a perceptual loss needs the weights of its network",
                        "set train.loss.perceptual.weights to a file of them (safetensors or a PyTorch state "
                        "dict), or train.loss.perceptual.network to \"none\"");
  require_exists(path, "weights of the perceptual loss");
  return path.ends_with(".safetensors") ? read_safetensors(path).tensors : read_pytorch_tensors(path);
}

// Those of one block.
NamedTensors weights_of(const Graph& block, const NamedTensors& all) {
  NamedTensors mine;
  for (const WeightSpec& spec : block.weights()) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.first == spec.name; });
    if (found != all.end()) mine.emplace_back(spec.name, found->second);
  }
  return mine;
}

}  // namespace

void check(const PerceptualOptions& o) {
  const auto require = [](bool sound, const std::string& what, const std::string& hint) {
    if (!sound) throw Error::misuse(what, hint);
  };
  require(o.network == "none" || o.network == "vgg16" || o.network == "vgg19",
          fmt::format("unknown network '{}' for a perceptual loss", o.network), "use none, vgg16 or vgg19");
  require(o.input == "torchvision" || o.input == "keras",
          fmt::format("unknown input '{}' of a perceptual loss", o.input), "use torchvision or keras");
  require(o.distance == "l1" || o.distance == "mse",
          fmt::format("unknown distance '{}' of a perceptual loss", o.distance), "use l1 or mse");
  const bool sound = std::all_of(o.blocks.begin(), o.blocks.end(), [](double weight) { return weight >= 0; });
  require(o.blocks.size() == 5 && sound && std::accumulate(o.blocks.begin(), o.blocks.end(), 0.0) > 0,
          "the weights of the perceptual loss's blocks make no sense",
          "give five, none negative, such as [0.03, 0, 0.05, 0, 0]");
}

Perception::Perception(const PerceptualOptions& options, c10::Device device) : options_(options) {
  const NamedTensors weights = read_weights(options.weights);
  std::vector<Graph> graphs = vgg_blocks(options.network == "vgg16" ? 16 : 19);
  const auto wanted = [](double weight) { return weight > 0; };
  const auto last = std::find_if(options.blocks.rbegin(), options.blocks.rend(), wanted);
  graphs.resize(static_cast<size_t>(options.blocks.rend() - last), Graph());
  for (const Graph& graph : graphs) {
    Weights block(graph, 0);
    try {
      block.load_state(weights_of(graph, weights));
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", options.weights, error.what()),
                  fmt::format("give the weights of {} under torchvision's names", options.network));
    }
    block.to(device);
    blocks_.emplace_back(block.constants());
  }
  // ImageNet's colours: red, green, blue in unit range, or blue, green, red in grey levels
  const bool keras = options.input == "keras";
  const at::Tensor mean = keras ? at::tensor({103.939, 116.779, 123.68}, at::kFloat)
                                : at::tensor({0.485, 0.456, 0.406}, at::kFloat),
                   deviation = keras ? at::ones({3}) : at::tensor({0.229, 0.224, 0.225}, at::kFloat);
  scale_ = ((keras ? 255 : 1) / deviation).view({1, 3, 1, 1}).to(device, at::kFloat);
  shift_ = (-mean / deviation).view({1, 3, 1, 1}).to(device, at::kFloat);
}

void Perception::to(at::ScalarType type) {
  for (Network& block : blocks_) block.weights().to(block.weights().options().dtype(type));
  scale_ = scale_.to(type);
  shift_ = shift_.to(type);
}

at::Tensor Perception::loss(const at::Tensor& output, const at::Tensor& target) {
  at::Tensor total = at::zeros({}, output.options()), mine = input(output), other = input(target.detach());
  for (size_t block = 0; block < blocks_.size(); ++block) {
    mine = blocks_[block].forward(mine, Mode::Evaluation);
    {
      const at::NoGradGuard no_grad;
      other = blocks_[block].forward(other, Mode::Evaluation);
    }
    if (options_.blocks[block] > 0) total = total + options_.blocks[block] * distance(mine, other);
  }
  return total;
}

at::Tensor Perception::input(const at::Tensor& unit) const {
  return unit * scale_ + shift_;
}

at::Tensor Perception::distance(const at::Tensor& a, const at::Tensor& b) const {
  return options_.distance == "mse" ? at::mse_loss(a, b) : at::l1_loss(a, b);
}

}  // namespace lucivox
