#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <lucivox/base/error.h>
#include <lucivox/exec/layers_backward.h>
#include <lucivox/exec/layers_forward.h>
#include <lucivox/exec/layers_run.h>

namespace lucivox {
namespace {

using torch::autograd::variable_list;

// The whole network as one node of autograd's graph; its inputs are [x, weights in the order of the state].
class LayersBackward final : public torch::autograd::Node {
 public:
  LayersBackward(torch::autograd::edge_list edges, LayersRecord record, const NodeWeights& weights)
      : Node(std::move(edges)), record_(std::move(record)), first_(weights.first) {
    const std::vector<WeightSpec>& specs = record_.layers->weights;
    for (size_t i = 0; i < specs.size(); ++i) {
      names_.push_back(specs[i].name);
      weights_.emplace_back(specs[i].trained ? weights.state[i].second : at::Tensor(), false);
    }
  }

  std::string name() const override { return "LayersBackward"; }

  variable_list apply(variable_list&& gradients) override {
    if (record_.buffers.empty()) throw Error("the backward pass of a network was asked for twice");
    const at::NoGradGuard no_grad;
    NamedTensors state;
    for (size_t i = 0; i < weights_.size(); ++i) state.emplace_back(names_[i], weights_[i].unpack());
    variable_list of_inputs(1 + state.size());
    std::vector<bool> wanted;
    for (size_t i = 0; i < of_inputs.size(); ++i) wanted.push_back(task_should_compute_output(i));
    run_backward(record_, {state, first_}, gradients[0], wanted, of_inputs);
    return of_inputs;
  }

  void release_variables() override {
    record_ = {};
    weights_.clear();
  }

 private:
  LayersRecord record_;
  const std::vector<size_t> first_;
  std::vector<std::string> names_;
  std::vector<torch::autograd::SavedVariable> weights_;
};

}  // namespace

at::Tensor run_layers(const std::shared_ptr<const Layers>& layers, const NodeWeights& weights,
                      const at::Tensor& x, Mode mode, const SharedStatistics& shared) {
  variable_list inputs{x};
  for (size_t i = 0; i < layers->weights.size(); ++i) inputs.push_back(weights.state[i].second);
  const bool trains = torch::autograd::compute_requires_grad(inputs);
  LayersRecord record{layers, mode, mode == Mode::Training ? shared : SharedStatistics{}, {}, {}, {}};
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    y = run_forward(weights, x, trains, record);
  }
  if (trains) {
    const auto node = std::shared_ptr<LayersBackward>(
        new LayersBackward(torch::autograd::collect_next_edges(inputs), std::move(record), weights),
        torch::autograd::deleteNode);
    torch::autograd::set_history(y, node);
  }
  return y;
}

}  // namespace lucivox
