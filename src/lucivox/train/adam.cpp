#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/adam.h>

namespace lucivox {
namespace {

constexpr double kBeta1 = 0.9, kEps = 1e-8;  // the paper's

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

Adam::Adam(const Weights& weights, double beta2) : parameters_(weights.parameters()), beta2_(beta2) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, weight] : parameters_) {
    first_.push_back(at::zeros_like(weight));
    second_.push_back(at::zeros_like(weight));
  }
  steps_ = at::zeros({}, first_.front().options());
  learning_rate_ = at::zeros_like(steps_);
}

void Adam::set_learning_rate(double rate) {
  learning_rate_.fill_(rate);
}

void Adam::step(const at::Tensor& skip, const at::Tensor& divisor) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> weights, dense;
  for (const auto& [name, weight] : parameters_) {
    weights.push_back(weight);
    dense.push_back(weight.grad().contiguous());
  }
  steps_.add_(1);
  at::_fused_adam_(weights, dense, first_, second_, {}, std::vector(weights.size(), steps_), learning_rate_,
                   kBeta1, beta2_, 0, kEps, false, false, if_defined(divisor), if_defined(skip));
  if (skip.defined()) steps_.sub_(skip);
}

std::vector<at::Tensor> Adam::gradients() const {
  std::vector<at::Tensor> all;
  for (const auto& [name, weight] : parameters_) all.push_back(weight.grad());
  return all;
}

void Adam::clear_gradients() {
  for (auto& [name, weight] : parameters_) weight.mutable_grad().reset();
}

void Adam::apply(const Masks& masks) {
  for (const auto& [name, mask] : masks) {
    const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                    [&n = name](const auto& p) { return p.first == n; });
    const auto i = static_cast<size_t>(found - parameters_.begin());
    first_[i].mul_(mask);
    second_[i].mul_(mask);
  }
}

NamedTensors Adam::state() const {
  NamedTensors state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].first;
    state.emplace_back("m." + name, first_[i]);
    state.emplace_back("v." + name, second_[i]);
    state.emplace_back("t." + name, steps_);
  }
  return state;
}

void Adam::load_state(const NamedTensors& state) {
  const at::NoGradGuard no_grad;
  for (auto& [name, mine] : this->state()) {
    const auto found =
        std::find_if(state.begin(), state.end(), [&n = name](const auto& entry) { return entry.first == n; });
    if (found == state.end() || found->second.sizes() != mine.sizes()) {
      throw Error(fmt::format("the optimiser's '{}' is missing or of another shape", name),
                  "the checkpoint is of another network");
    }
    mine.copy_(found->second);
  }
}

namespace {

// Applies `change` to the moments under their weights' names; step counts stay.
template <typename Change>
NamedTensors with_moments(const NamedTensors& state, const Change& change) {
  NamedTensors changed;
  for (const auto& [name, tensor] : state) {
    const std::string kind = name.substr(0, 2), weight = name.substr(2);
    changed.emplace_back(name, kind == "t." ? tensor : change(NamedTensors{{weight, tensor}}).front().second);
  }
  return changed;
}

}  // namespace

NamedTensors shrink_optimiser(const Shrinking& removed, const NamedTensors& state) {
  return with_moments(state, [&](const NamedTensors& moment) { return shrink(removed, moment); });
}

NamedTensors expand_optimiser(const Shrinking& removed, const NamedTensors& state) {
  return with_moments(state, [&](const NamedTensors& moment) { return expand(removed, moment); });
}

}  // namespace lucivox
