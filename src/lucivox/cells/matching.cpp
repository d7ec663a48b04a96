#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/cells/matching.h>

namespace lucivox {
namespace {

using Box = std::array<int64_t, 3>;

Box box_of(const PointUm& place, double side) {
  const auto along = [&](size_t axis) { return static_cast<int64_t>(std::floor(place[axis] / side)); };
  return {along(0), along(1), along(2)};
}

double distance_of(const PointUm& a, const PointUm& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

// All pairs that are near enough: with boxes as wide as the distance, only neighbouring ones are looked at.
std::vector<Match> candidates(const std::vector<PointUm>& found, const std::vector<PointUm>& truth,
                              double distance) {
  std::map<Box, std::vector<int64_t>> boxes;
  for (int64_t t = 0; t < std::ssize(truth); ++t)
    boxes[box_of(truth[static_cast<size_t>(t)], distance)].push_back(t);
  std::vector<Match> near;
  for (int64_t f = 0; f < std::ssize(found); ++f) {
    const PointUm& place = found[static_cast<size_t>(f)];
    const auto [z, y, x] = box_of(place, distance);
    for (int64_t i = 0; i < 27; ++i) {
      const auto box = boxes.find({z + i / 9 - 1, y + i / 3 % 3 - 1, x + i % 3 - 1});
      if (box == boxes.end()) continue;
      for (const int64_t t : box->second) {
        const double apart = distance_of(place, truth[static_cast<size_t>(t)]);
        if (apart <= distance) near.push_back({f, t, apart});
      }
    }
  }
  return near;
}

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<Match> match(const std::vector<PointUm>& found, const std::vector<PointUm>& truth,
                         double distance) {
  if (!(distance > 0) || !std::isfinite(distance))
    throw Error::misuse(fmt::format("matching within {:g} micrometres", distance), "give a distance above 0");
  std::vector<Match> near = candidates(found, truth, distance);
  std::sort(near.begin(), near.end(), [](const Match& a, const Match& b) {
    return std::tie(a.distance, a.found, a.truth) < std::tie(b.distance, b.found, b.truth);
  });
  std::vector<bool> found_taken(found.size()), truth_taken(truth.size());
  std::vector<Match> matches;
  for (const Match& pair : near) {
    const auto f = static_cast<size_t>(pair.found), t = static_cast<size_t>(pair.truth);
    if (found_taken[f] || truth_taken[t]) continue;
    found_taken[f] = truth_taken[t] = true;
    matches.push_back(pair);
  }
  return matches;
}

double Detection::precision() const {
  return found == 0 && truth == 0 ? 1 : share(matched, found);
}

double Detection::recall() const {
  return found == 0 && truth == 0 ? 1 : share(matched, truth);
}

double Detection::f1() const {
  return found == 0 && truth == 0 ? 1 : share(2 * matched, found + truth);
}

double Detection::count_error() const {
  return truth == 0 ? std::numeric_limits<double>::quiet_NaN()
                    : static_cast<double>(found - truth) / static_cast<double>(truth);
}

Detection detection(const std::vector<PointUm>& found, const std::vector<PointUm>& truth, double distance) {
  return {std::ssize(match(found, truth, distance)), std::ssize(found), std::ssize(truth)};
}

}  // namespace lucivox
