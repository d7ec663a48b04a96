#pragma once

#include <lucivox/nn/graph.h>

namespace lucivox {

// TomoGAN: Liu et al., "TomoGAN: low-dose synchrotron x-ray tomography with generative adversarial networks",
// JOSA A 37(3), 2020, Figs. 3 and 4; layer by layer as its public reference has it.

// The generator, a U-Net over `depth` adjacent slices: [N, depth, H, W] in, the middle slice [N, 1, H, W]
// out; H and W multiples of 8.
struct TomoganOptions {
  int64_t depth = 3;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("depth", self.depth);
  }
};

// Throws Error (misuse) unless the depth is odd and in 1 .. 63.
Graph tomogan(const TomoganOptions& options = {});

// The discriminator: [N, 1, side, side] in, one number for each image out, [N, 1, 1, 1], the logit of its
// being a clean one. Throws Error (misuse) unless the side is a multiple of 8.
Graph tomogan_discriminator(int64_t side);

}  // namespace lucivox
