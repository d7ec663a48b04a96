#pragma once

#include <lucivox/exec/network.h>

namespace lucivox {

// The two sides of a generative adversarial network (Goodfellow et al., 2014) as TomoGAN has them:
// cross-entropy of the discriminator's logits, each side with labels of its own (Liu et al., 2020, eqs. 1 and
// 2).

// Low where the discriminator takes what was made for clean. [N, 1, 1, 1] -> scalar.
at::Tensor generator_loss(const at::Tensor& logits_of_made);
// Low where it tells the two apart; 2 log 2 where it cannot.
at::Tensor discriminator_loss(const at::Tensor& logits_of_clean, const at::Tensor& logits_of_made);

}  // namespace lucivox
