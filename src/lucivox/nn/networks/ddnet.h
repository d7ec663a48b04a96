#pragma once

#include <lucivox/base/fields.h>
#include <lucivox/nn/graph.h>

namespace lucivox {

// DDNet, the densenet and deconvolution network: Zhang et al., IEEE TMI 37(6), 2018, Fig. 2; as in
// Chaturvedi et al. (Fig. 1). 45 layers and, with the default growth of 16, 566,451 parameters.
// [N, 1, H, W] in, the same out; H and W multiples of 16. Weights carry the public reference's names.
struct DdnetOptions {
  int64_t growth = 16;
  NormStatistics statistics = NormStatistics::Running;  // of its batch norms, in evaluation

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("growth", self.growth);
    visit("statistics", Name{self.statistics, to_string, norm_statistics});
  }
};

// Throws Error (misuse) unless growth is in 1 .. 256.
Graph ddnet(const DdnetOptions& options = {});

}  // namespace lucivox
