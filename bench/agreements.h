#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/exec/network.h>

namespace lucivox::bench {

// One figure in which a device agrees with the CPU's float64, or does not (the twin of harness.Agreement).
struct Agreement {
  std::string what;
  double error, bound;
};
using Findings = std::vector<Agreement>;

// |a - truth| / |truth| over all elements, in float64; where the truth is 0, |a|.
double relative_error(const at::Tensor& a, const at::Tensor& truth);

// What a computation came to, by name, with the truth in the same order.
struct Outcome {
  NamedTensors outputs;    // compared with themselves
  NamedTensors gradients;  // compared with the largest of them: one that should vanish is all rounding
};

// Of all outputs and of all gradients the worst.
Findings compare(const std::string& what, const Outcome& mine, const Outcome& truth, double output_bound,
                 double gradient_bound);

}  // namespace lucivox::bench
