#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>

namespace lucivox {

// By how much enhancement moves the mean of each tissue: the mean of (image - full dose) over the pixels
// whose surroundings in the full-dose slice have that tissue's HU. Surroundings (5x5) rather than single
// pixels, whose own noise would decide what counts as which tissue.
class TissueBias {
 public:
  TissueBias();

  // Slices [Y, X] in HU.
  void add(const at::Tensor& low, const at::Tensor& enhanced, const at::Tensor& full);
  // [{"tissue", "low_hu", "high_hu", "pixels", "before_hu", "after_hu"}]; without tissues that no pixel has.
  Json json() const;

 private:
  struct Sums {
    double before = 0, after = 0;
    int64_t pixels = 0;
  };
  std::vector<Sums> sums_;
};

}  // namespace lucivox
