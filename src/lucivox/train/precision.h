#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <lucivox/exec/network.h>

namespace lucivox {

// The numbers that a training step computes with (Chaturvedi et al., section 3.2; Micikevicius et al., "Mixed
// precision training", ICLR 2018). Weights, their update, the loss, batch norm's statistics and all sums stay
// float32; only convolutions and what lies between them are computed in fewer bits.
//   fp32   float32 throughout
//   tf32   convolutions of GPUs round their inputs to 10 bits of mantissa
//   fp16   half precision, with a scale for the loss that finds itself
//   bf16   8 bits of mantissa and float32's range; no scale needed
// CPUs compute in fp16 and bf16 too, but most of them slower than in fp32.
inline constexpr char kPrecisionNames[] = "fp32, tf32, fp16 or bf16";

// Throws Error (misuse) for an unknown name.
void require_precision(const std::string& name);
// Makes `network` compute so. Throws Error (misuse) when its device cannot: tf32 needs a GPU.
void compute_in(const std::string& precision, Network& network);

// Gradients smaller than half precision's smallest number would vanish, so the loss is scaled up before it is
// differentiated and the gradients down before they are used. A step whose gradients overflow is skipped and
// halves the scale; 2000 steps without one double it. All on the device, so that a captured step holds it.
class LossScale {
 public:
  explicit LossScale(c10::Device device);

  at::Tensor scaled(const at::Tensor& loss) const { return loss * scale_; }
  // Takes the scale off again and notes whether there was an overflow.
  void unscale(std::vector<at::Tensor>& gradients);
  // 1 after an overflow, else 0; float32 scalar.
  const at::Tensor& overflowed() const { return overflowed_; }
  // After the optimiser's step.
  void update();

  double value() const { return scale_.item<double>(); }
  int64_t skipped() const { return static_cast<int64_t>(skipped_.item<double>()); }

  // For checkpoints; shares storage.
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 private:
  at::Tensor scale_, good_steps_, overflowed_, skipped_;
};

}  // namespace lucivox
