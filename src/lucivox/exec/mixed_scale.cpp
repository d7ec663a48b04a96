#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <lucivox/base/error.h>
#include <lucivox/exec/mixed_scale.h>

namespace lucivox {
namespace {

// Follows a graph node by node as long as it is what a Mixed-Scale Dense network must be.
class Recogniser {
 public:
  explicit Recogniser(const Graph& graph) : graph_(graph) {}

  std::optional<MixedScaleNodes> nodes() {
    nodes_.network.inputs = graph_.channels(0);
    nodes_.network.volume = graph_.dimensions() == 3;
    while (next_ <= graph_.output()) {
      const NodeId all = joined();
      const auto* convolution = take<Convolution>(all);
      if (convolution == nullptr) return std::nullopt;
      if (convolution->kernel == kOnes && plain(*convolution)) {
        nodes_.output = next_ - 1;
        return ends() && !nodes_.layers.empty() ? std::optional(std::move(nodes_)) : std::nullopt;
      }
      if (!is_layer(*convolution)) return std::nullopt;
      nodes_.layers.push_back(next_ - 1);
      nodes_.network.dilations.push_back(convolution->dilation);
      const auto* activation = take<LeakyRelu>(next_ - 1);
      if (activation == nullptr || activation->slope != 0) return std::nullopt;
      maps_.push_back(next_ - 1);
    }
    return std::nullopt;
  }

 private:
  // The next node, if it is of that kind and reads this one alone.
  template <typename Kind>
  const Kind* take(NodeId from) {
    if (next_ > graph_.output() || graph_.node(next_).inputs != std::vector{from}) return nullptr;
    return std::get_if<Kind>(&graph_.node(next_++).operation);
  }

  // All maps so far.
  NodeId joined() {
    const bool joins = maps_.size() > 1 && next_ <= graph_.output() &&
                       std::holds_alternative<Concat>(graph_.node(next_).operation) &&
                       graph_.node(next_).inputs == maps_;
    return joins ? next_++ : maps_[0];
  }

  static bool plain(const Convolution& op) { return op.stride == kOnes && op.groups == 1 && !op.transposed; }

  // Of the width and the border rule of the first one.
  bool is_layer(const Convolution& op) {
    cpu::MixedScale& network = nodes_.network;
    if (nodes_.layers.empty()) {
      network.width = op.out;
      network.edge = op.padding == Padding::Zeros ? cpu::Edge::Zeros : cpu::Edge::Mirrored;
      padding_ = op.padding;
    }
    return plain(op) && op.kernel == Axes{network.volume ? 3 : 1, 3, 3} && op.out == network.width &&
           op.padding == padding_ && padding_ != Padding::Replicate &&
           op.in == network.first_map(network.depth());
  }

  bool ends() const {
    for (NodeId id = next_; id <= graph_.output(); ++id) {
      const auto& inputs = graph_.node(id).inputs;
      if (std::any_of(inputs.begin(), inputs.end(), [&](NodeId from) { return from < nodes_.output; }))
        return false;
    }
    return true;
  }

  const Graph& graph_;
  MixedScaleNodes nodes_{};
  std::vector<NodeId> maps_{0};
  NodeId next_ = 1;
  Padding padding_ = Padding::Zeros;
};

// A volume's maps [maps, Z, Y, X] where they lie in memory.
at::Tensor view_of(const at::Tensor& memory, const cpu::MapLayout& layout, int64_t maps) {
  return memory.as_strided({maps, layout.z, layout.y, layout.x}, {layout.map, layout.plane, layout.row, 1},
                           layout.at(0, 0, 0));
}

// Images of two dimensions are volumes of one slice.
at::Tensor as_volumes(const at::Tensor& x) {
  return x.dim() == 4 ? x.unsqueeze(2) : x;
}

cpu::MapLayout layout_of(const cpu::MixedScale& network, const at::Tensor& volumes,
                         cpu::MapLayout::Margins margins = cpu::MapLayout::Margins::Read) {
  return {network, {volumes.size(2), volumes.size(3), volumes.size(4)}, margins};
}

// The weight and the bias of every layer, the output's last.
std::vector<at::Tensor> numbers_of(const MixedScaleNodes& nodes, const Weights& weights) {
  std::vector<NodeId> all = nodes.layers;
  all.push_back(nodes.output);
  std::vector<at::Tensor> numbers;
  for (const NodeId node : all) {
    for (const at::Tensor& own : weights.of(node)) numbers.push_back(own);
  }
  return numbers;
}

template <typename Float>
cpu::LayerNumbers<Float> numbers_at(const std::vector<at::Tensor>& numbers, size_t layer) {
  const at::Tensor &weight = numbers[2 * layer], &bias = numbers[2 * layer + 1];
  TORCH_INTERNAL_ASSERT(weight.is_contiguous() && bias.is_contiguous());
  if constexpr (std::is_const_v<Float>) {
    return {weight.const_data_ptr<float>(), bias.const_data_ptr<float>()};
  } else {
    return {weight.mutable_data_ptr<float>(), bias.mutable_data_ptr<float>()};
  }
}

template <typename Float>
std::vector<cpu::LayerNumbers<Float>> layers_at(const std::vector<at::Tensor>& numbers) {
  std::vector<cpu::LayerNumbers<Float>> layers;
  for (size_t layer = 0; layer + 1 < numbers.size() / 2; ++layer)
    layers.push_back(numbers_at<Float>(numbers, layer));
  return layers;
}

// `maps_of_each`: where to keep the maps of every image; null: they are not kept.
at::Tensor run_forward(const cpu::MixedScale& network, const std::vector<at::Tensor>& numbers,
                       const at::Tensor& x, std::vector<at::Tensor>* maps_of_each) {
  const at::Tensor volumes = as_volumes(x);
  const cpu::MapLayout layout = layout_of(network, volumes);
  const auto new_maps = [&] {
    return at::empty({static_cast<int64_t>(layout.floats(network.maps()))}, x.options());
  };
  const auto layers = layers_at<const float>(numbers);
  const auto output = numbers_at<const float>(numbers, layers.size());
  const int64_t outputs = numbers.back().size(0);
  const at::Tensor y = at::empty({x.size(0), outputs, layout.z, layout.y, layout.x}, x.options());
  at::Tensor memory;
  for (int64_t n = 0; n < x.size(0); ++n) {
    if (n == 0 || maps_of_each != nullptr) memory = new_maps();
    auto* maps = memory.mutable_data_ptr<float>();
    view_of(memory, layout, network.inputs).copy_(volumes[n]);
    cpu::mixed_scale_forward(network, layers, layout, maps);
    cpu::mixed_scale_output(network, layout, maps, outputs, output.weight, output.bias,
                            y[n].mutable_data_ptr<float>());
    if (maps_of_each != nullptr) maps_of_each->push_back(memory);
  }
  return x.dim() == 4 ? y.squeeze(2) : y;
}

// Gradients of x and of all numbers, in their order.
struct Gradients {
  at::Tensor x;
  std::vector<at::Tensor> numbers;
};

Gradients run_backward(const cpu::MixedScale& network, const std::vector<at::Tensor>& numbers,
                       const std::vector<at::Tensor>& maps_of_each, const at::Tensor& dy) {
  const at::Tensor of_outputs = as_volumes(dy.contiguous());
  const cpu::MapLayout layout = layout_of(network, of_outputs),
                       of_gradients = layout_of(network, of_outputs, cpu::MapLayout::Margins::Written);
  const at::Tensor output_weight = numbers[numbers.size() - 2].flatten(1);
  Gradients to{at::empty({dy.size(0), network.inputs, layout.z, layout.y, layout.x}, dy.options()), {}};
  for (const at::Tensor& number : numbers) to.numbers.push_back(at::zeros_like(number));
  const at::Tensor memory =
                       at::empty({static_cast<int64_t>(of_gradients.floats(network.maps()))}, dy.options()),
                   gradients = view_of(memory, of_gradients, network.maps());
  for (int64_t n = 0; n < dy.size(0); ++n) {
    const at::Tensor& maps = maps_of_each[static_cast<size_t>(n)];
    const at::Tensor of_output = of_outputs[n].flatten(1);
    to.numbers[numbers.size() - 2].flatten(1).addmm_(of_output,
                                                     view_of(maps, layout, network.maps()).flatten(1).t());
    to.numbers.back().add_(of_output.sum(1));
    memory.zero_();
    gradients.copy_(at::mm(output_weight.t(), of_output).view_as(gradients));
    cpu::mixed_scale_backward(network, layers_at<const float>(numbers), layout, maps.const_data_ptr<float>(),
                              of_gradients, memory.mutable_data_ptr<float>(), layers_at<float>(to.numbers));
    to.x[n].copy_(gradients.narrow(0, 0, network.inputs));
  }
  if (dy.dim() == 4) to.x = to.x.squeeze(2);
  return to;
}

using torch::autograd::variable_list;

// The network but for what follows its output layer as one node of autograd's graph; its inputs are [x,
// numbers].
class MixedScaleBackward final : public torch::autograd::Node {
 public:
  MixedScaleBackward(torch::autograd::edge_list edges, std::shared_ptr<const MixedScaleNodes> nodes,
                     const std::vector<at::Tensor>& numbers, std::vector<at::Tensor> maps)
      : Node(std::move(edges)), nodes_(std::move(nodes)), maps_(std::move(maps)) {
    for (const at::Tensor& number : numbers) numbers_.emplace_back(number, false);
  }

  std::string name() const override { return "MixedScaleBackward"; }

  variable_list apply(variable_list&& gradients) override {
    if (maps_.empty()) throw Error("the backward pass of a network was asked for twice");
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> numbers;
    for (const torch::autograd::SavedVariable& number : numbers_) numbers.push_back(number.unpack());
    Gradients to = run_backward(nodes_->network, numbers, maps_, gradients[0]);
    variable_list of_inputs{std::move(to.x)};
    of_inputs.insert(of_inputs.end(), to.numbers.begin(), to.numbers.end());
    return of_inputs;
  }

  void release_variables() override {
    maps_.clear();
    numbers_.clear();
  }

 private:
  std::shared_ptr<const MixedScaleNodes> nodes_;
  std::vector<torch::autograd::SavedVariable> numbers_;
  std::vector<at::Tensor> maps_;  // of every image
};

}  // namespace

std::optional<MixedScaleNodes> as_mixed_scale(const Graph& graph) {
  return Recogniser(graph).nodes();
}

at::Tensor run_mixed_scale(const std::shared_ptr<const MixedScaleNodes>& nodes, const Weights& weights,
                           const at::Tensor& x) {
  const std::vector<at::Tensor> numbers = numbers_of(*nodes, weights);
  variable_list inputs{x};
  inputs.insert(inputs.end(), numbers.begin(), numbers.end());
  const bool trains = torch::autograd::compute_requires_grad(inputs);
  std::vector<at::Tensor> maps;
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    y = run_forward(nodes->network, numbers, x, trains ? &maps : nullptr);
  }
  if (trains) {
    const auto node = std::shared_ptr<MixedScaleBackward>(
        new MixedScaleBackward(torch::autograd::collect_next_edges(inputs), nodes, numbers, std::move(maps)),
        torch::autograd::deleteNode);
    torch::autograd::set_history(y, node);
  }
  return y;
}

}  // namespace lucivox
