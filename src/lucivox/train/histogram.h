#pragma once

#include <vector>

#include <lucivox/nn/weights.h>
#include <lucivox/sparse/mask.h>

namespace lucivox {

// How the kept convolution weights are distributed (Chaturvedi et al., figure 3): counts in equal bins from
// -limit to limit; what lies outside is counted in the outermost bins.
struct WeightHistogram {
  double limit = 0;
  std::vector<int64_t> counts;
};

// Of the weights that `masks` keep; pruned ones are not counted.
WeightHistogram weight_histogram(const Weights& weights, const Masks& masks, double limit);

// Four standard deviations of all convolution weights: where a normal distribution has ended.
double histogram_limit(const Weights& weights);

}  // namespace lucivox
