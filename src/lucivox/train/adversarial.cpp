#include <ATen/ATen.h>

#include <lucivox/train/adversarial.h>

namespace lucivox {
namespace {

at::Tensor cross_entropy(const at::Tensor& logits, double label) {
  return at::binary_cross_entropy_with_logits(logits, at::full_like(logits, label));
}

}  // namespace

at::Tensor generator_loss(const at::Tensor& logits_of_made) {
  return cross_entropy(logits_of_made, 1);
}

at::Tensor discriminator_loss(const at::Tensor& logits_of_clean, const at::Tensor& logits_of_made) {
  return cross_entropy(logits_of_clean, 1) + cross_entropy(logits_of_made, 0);
}

}  // namespace lucivox
