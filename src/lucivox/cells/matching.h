#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace lucivox {

// Micrometres along z, y and x.
using PointUm = std::array<double, 3>;

struct Match {
  int64_t found, truth;  // which of each
  double distance;       // in micrometres
};

// Pairs of a place that was found and a true one not farther from it than `distance`, the nearest pair first,
// no place in more than one (of equally near ones the first). Throws Error (misuse) unless the distance is
// above 0.
std::vector<Match> match(const std::vector<PointUm>& found, const std::vector<PointUm>& truth,
                         double distance);

// How good places are, from their numbers. A share of nothing is 0; what is found where there is nothing is
// perfect if it is nothing.
struct Detection {
  int64_t matched = 0, found = 0, truth = 0;

  double precision() const;
  double recall() const;
  double f1() const;
  double count_error() const;  // (found - truth) / truth; NaN without a truth
};
Detection detection(const std::vector<PointUm>& found, const std::vector<PointUm>& truth, double distance);

}  // namespace lucivox
