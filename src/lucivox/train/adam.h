#pragma once

#include <lucivox/nn/shrinking.h>
#include <lucivox/nn/weights.h>
#include <lucivox/sparse/mask.h>

namespace lucivox {

// Adam (Kingma and Ba, ICLR 2015, algorithm 1), fused by libtorch into one kernel a device.
class Adam {
 public:
  // `beta2` of its algorithm: second moments are of about the last 1 / (1 - beta2) steps.
  explicit Adam(const Weights& weights, double beta2 = 0.999);

  // For the steps to come. On the device, so that a captured step follows it.
  void set_learning_rate(double rate);
  // One update from the parameters' gradients divided by `divisor`; none, and no step counted, where `skip`
  // is 1. Both are float32 scalars or undefined.
  void step(const at::Tensor& skip = {}, const at::Tensor& divisor = {});
  void clear_gradients();
  std::vector<at::Tensor> gradients() const;
  // Forgets what was gathered for pruned weights: with masked gradients they then never move.
  void apply(const Masks& masks);

  // Moments and the number of steps under "m.NAME", "v.NAME", "t.NAME"; share storage with the optimiser.
  NamedTensors state() const;
  // Throws Error when a name is missing or a shape differs.
  void load_state(const NamedTensors& state);

 private:
  NamedTensors parameters_;
  std::vector<at::Tensor> first_, second_;
  at::Tensor steps_, learning_rate_;
  double beta2_;
};

// An optimiser's state for the network that is left of a shrunk one, and back for the whole one, with nothing
// gathered for what was removed.
NamedTensors shrink_optimiser(const Shrinking& removed, const NamedTensors& state);
NamedTensors expand_optimiser(const Shrinking& removed, const NamedTensors& state);

}  // namespace lucivox
