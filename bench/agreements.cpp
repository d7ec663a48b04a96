#include "agreements.h"

#include <algorithm>
#include <functional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>

namespace lucivox::bench {
namespace {

at::Tensor exact(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU, at::kDouble);
}

double length_of(const at::Tensor& tensor) {
  return at::linalg_vector_norm(tensor).item<double>();
}

// `error` of two tensors of one name.
double worst(const NamedTensors& mine, const NamedTensors& truth,
             const std::function<double(const at::Tensor&, const at::Tensor&)>& error) {
  double largest = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double found = error(mine.at(i).second, truth[i].second);
    if (!(found <= largest)) largest = found;  // NaN stays
  }
  return largest;
}

}  // namespace

double relative_error(const at::Tensor& a, const at::Tensor& truth) {
  const double size = length_of(exact(truth)), difference = length_of(exact(a) - exact(truth));
  return size > 0 ? difference / size : difference;
}

Findings compare(const std::string& what, const Outcome& mine, const Outcome& truth, double output_bound,
                 double gradient_bound) {
  std::vector<Agreement> found{{what, worst(mine.outputs, truth.outputs, relative_error), output_bound}};
  if (truth.gradients.empty()) return found;
  double largest = 0;
  for (const auto& [name, gradient] : truth.gradients)
    largest = std::max(largest, length_of(exact(gradient)));
  const auto error = [&](const at::Tensor& a, const at::Tensor& b) {
    return length_of(exact(a) - exact(b)) / largest;
  };
  found.push_back({what + ", gradients", worst(mine.gradients, truth.gradients, error), gradient_bound});
  return found;
}

}  // namespace lucivox::bench
