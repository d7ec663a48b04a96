#pragma once

#include <string>
#include <vector>

#include <lucivox/sparse/mask.h>

namespace lucivox {

// Which weights are pruned (Chaturvedi et al., section 2.1). `criterion` is one of
//   none              nothing
//   random            in every layer round(amount * weights), drawn by the seed
//   magnitude         in every layer those of smallest |w| ("Top-K")
//   magnitude-global  those of smallest |w| over all layers
//   filters-l1, -l2   whole filters of smallest norm, with everything that belongs to them (structured.h)
//   channels-l1, -l2  whole input channels whose reading weights have the smallest norm (structured.h)
//   corners           taps at the upper left and lower right corner of every kernel (patterns.h)
//   2:4               in every 4 weights along the input channels the 2 of smallest |w| (patterns.h)
// Among equals the first go. All but filters and channels prune weights alone, no biases. The layer that
// makes the output is never judged: it is tiny, and the largest of its weights are of one sign (in DDNet's
// all 16 that "magnitude" kept of 32), so that what is left can only add up.
struct PruningOptions {
  std::string criterion = "none";
  double amount = 0.5;           // share to prune in every targeted layer but the last, 0 .. 1 without 1
  std::string targets = "both";  // "convolution", "deconvolution" (transposed convolutions) or "both"

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("criterion", self.criterion);
    visit("amount", self.amount);
    visit("targets", self.targets);
  }
};

// The criteria in the order above.
std::vector<std::string> pruning_criteria();

// Throws Error (misuse) for an unknown criterion or target, or an amount that the criterion cannot give.
void check(const PruningOptions& options);

// The same network, options and seed give the same masks; the seed matters to "random" alone. Throws Error as
// check() does, and when a layer would lose all its weights.
Masks pruning_masks(const Weights& network, const PruningOptions& options, uint64_t seed);

}  // namespace lucivox
