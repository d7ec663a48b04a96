#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/preprocess/centre.h>
#include <lucivox/tomo/preprocess/checks.h>

namespace lucivox {
namespace {

using std::numbers::pi;

// Fewer views leave less than a handful of coefficients outside the wedge.
constexpr int64_t kFewestViews = 24;
constexpr int64_t kFewestColumns = 16;
// The search begins on columns binned to about this many, where it is robust and fast.
constexpr int64_t kCoarseColumns = 128;
// An axis at a quarter of the width still sees half of an object that fills the detector twice.
constexpr double kLeastCovered = 0.25;

// How badly a sinogram [V, U] fits the axis at the column twice_centre / 2; small is good.
using Misfit = std::function<double(const at::Tensor& sino, int64_t twice_centre)>;

// The columns whose mirror image about twice_centre / 2 is on the detector too.
struct Overlap {
  int64_t first, count;
};

Overlap overlap(int64_t columns, int64_t twice_centre) {
  const int64_t first = std::max<int64_t>(twice_centre - (columns - 1), 0);
  const int64_t last = std::min(twice_centre, columns - 1);
  return first <= last ? Overlap{first, last - first + 1} : Overlap{0, 0};
}

// The full turn that a half turn [V, U] makes together with its mirror image, [2 V, U]. Columns whose mirror
// image is off the detector are filled with the half turn run backwards, which joins at both of its ends.
at::Tensor full_turn(const at::Tensor& half, int64_t twice_centre) {
  at::Tensor full = at::cat({half, half.flip(0)});
  // column u is seen at twice_centre - u, which runs through the same columns from last to first
  const Overlap both = overlap(half.size(1), twice_centre);
  full.narrow(0, half.size(0), half.size(0))
      .narrow(1, both.first, both.count)
      .copy_(half.narrow(1, both.first, both.count).flip(1));
  return full;
}

// 1 outside the double wedge, else 0, for the coefficients [2 V, J] of m cycles a turn and j = 0 .. J - 1
// cycles a width. An object of radius R fills |m| <= 2 pi R j / width (Vo et al., section 2). R is the width,
// twice what fits, which leaves room for an object that reaches past the detector and an axis off the middle.
at::Tensor outside_wedge(int64_t half_views, int64_t frequencies) {
  const at::Tensor m =
      (at::fft_fftfreq(2 * half_views, 1.0, at::kDouble) * (2 * half_views)).abs().unsqueeze(1);
  const at::Tensor j = at::arange(frequencies, at::kDouble).unsqueeze(0);
  return ((j > 0) & (m > 2 * pi * j)).to(at::kFloat);
}

// The share of all changes from view to view that happens in columns which the mirror image covers.
double covered_share(const at::Tensor& half, int64_t twice_centre) {
  const Overlap both = overlap(half.size(1), twice_centre);
  const at::Tensor changes = half.var(0, false);
  const double all = changes.sum(at::kDouble).item<double>();
  if (!(all > 0)) return 1;
  return changes.narrow(0, both.first, both.count).sum(at::kDouble).item<double>() / all;
}

double wedge_misfit(const at::Tensor& half, int64_t twice_centre) {
  // an axis so far off that the object meets only its own reverse would fit anything
  if (covered_share(half, twice_centre) < kLeastCovered) return std::numeric_limits<double>::infinity();
  // beyond the j where the wedge takes every m, nothing is outside
  const auto useful = static_cast<int64_t>(static_cast<double>(half.size(0)) / (2 * pi)) + 1;
  const int64_t frequencies = std::min(useful, half.size(1) / 2 + 1);
  const at::Tensor along_columns = at::fft_rfft(full_turn(half, twice_centre), std::nullopt, 1);
  const at::Tensor spectrum = at::fft_fft(along_columns.narrow(1, 0, frequencies), std::nullopt, 0);
  return (spectrum.abs() * outside_wedge(half.size(0), frequencies)).sum(at::kDouble).item<double>();
}

// 1 - the correlation of the views t and mirrored t + pi, over the columns that see each other.
double pair_misfit(const at::Tensor& turn, int64_t twice_centre) {
  const int64_t half = turn.size(0) / 2;
  const Overlap both = overlap(turn.size(1), twice_centre);
  if (both.count < 2) return 2;
  const at::Tensor seen = turn.narrow(1, both.first, both.count).to(at::kDouble);
  const at::Tensor a = seen.narrow(0, 0, half), b = seen.narrow(0, half, half).flip(1);
  const at::Tensor from_mean_a = a - a.mean(), from_mean_b = b - b.mean();
  const double energy = (from_mean_a.norm() * from_mean_b.norm()).item<double>();
  return energy > 0 ? 1 - (from_mean_a * from_mean_b).sum().item<double>() / energy : 2;
}

// misfit(first), misfit(first + 1), ... misfit(last)
std::vector<double> scan(const Misfit& misfit, const at::Tensor& sino, int64_t first, int64_t last) {
  std::vector<double> values(static_cast<size_t>(last - first + 1));
  parallel_for(first, last + 1, [&](int64_t c) { values[static_cast<size_t>(c - first)] = misfit(sino, c); });
  return values;
}

Error no_axis() {
  return Error("no axis of rotation stands out in this sinogram",
               "search a wider share, try a slice with more structure, or give the centre yourself");
}

// The candidate with the least misfit. At the rim of the range the least may lie outside.
int64_t best_candidate(const Misfit& misfit, const at::Tensor& sino, int64_t first, int64_t last) {
  const std::vector<double> values = scan(misfit, sino, first, last);
  const auto best = std::ranges::min_element(values) - values.begin();
  if (best == 0 || best == last - first) throw no_axis();
  return first + best;
}

// The fraction: vertex of the parabola that fits best through the candidates up to two columns away.
double refine(const Misfit& misfit, const at::Tensor& sino, int64_t twice_centre) {
  constexpr int64_t reach = 4;
  const std::vector<double> values = scan(misfit, sino, twice_centre - reach, twice_centre + reach);
  constexpr double mean_square = 60.0 / 9;  // of -4 .. 4
  double slope = 0, bend = 0, bend_norm = 0;
  for (int64_t i = -reach; i <= reach; ++i) {
    const auto x = static_cast<double>(i), y = values[static_cast<size_t>(i + reach)];
    slope += x * y / 60;
    bend += (x * x - mean_square) * y;
    bend_norm += (x * x - mean_square) * (x * x - mean_square);
  }
  bend /= bend_norm;
  const double vertex = -slope / (2 * bend);
  if (!(bend > 0) || !(std::abs(vertex) <= reach)) throw no_axis();
  return (static_cast<double>(twice_centre) + vertex) / 2;
}

at::Tensor binned(const at::Tensor& sino, int64_t bin) {
  const int64_t columns = sino.size(1) / bin;
  return sino.narrow(1, 0, columns * bin).reshape({sino.size(0), columns, bin}).mean(2);
}

// From coarse bins to single columns, each time around the best of before.
double search(const Misfit& misfit, const at::Tensor& sino, double low, double high) {
  int64_t bin = 1;
  while (sino.size(1) / (2 * bin) >= kCoarseColumns) bin *= 2;
  for (;; bin /= 2) {
    // the middle of bin i is the column bin i + (bin - 1) / 2
    const double offset = static_cast<double>(bin - 1) / 2;
    const auto candidate = [&](double column) {
      return static_cast<int64_t>(std::llround(2 * (column - offset) / static_cast<double>(bin)));
    };
    const at::Tensor coarse = binned(sino, bin);
    const int64_t best = best_candidate(misfit, coarse, candidate(low), candidate(high));
    if (bin == 1) return refine(misfit, coarse, best);
    const double column = static_cast<double>(best * bin) / 2 + offset;
    low = column - 2 * static_cast<double>(bin);
    high = column + 2 * static_cast<double>(bin);
  }
}

double even_step(const std::vector<double>& angles_rad) {
  const auto steps = static_cast<double>(angles_rad.size() - 1);
  const double step = (angles_rad.back() - angles_rad.front()) / steps;
  for (size_t v = 1; v < angles_rad.size(); ++v) {
    if (!(std::abs(angles_rad[v] - angles_rad[v - 1] - step) <= 0.5 * std::abs(step))) {
      throw Error::misuse("the projection angles are not evenly spaced",
                          "find the centre from a part of the scan where they are");
    }
  }
  return std::abs(step);
}

// How many views make a half turn.
int64_t views_a_half_turn(const std::vector<double>& angles_rad) {
  const auto views = static_cast<int64_t>(angles_rad.size());
  if (views < kFewestViews) {
    throw Error::misuse(fmt::format("{} views are too few to find the axis of rotation", views),
                        fmt::format("at least {} over a half turn are needed", kFewestViews));
  }
  const double half_turn = pi / even_step(angles_rad);
  // one missing view does no harm
  if (!(half_turn <= static_cast<double>(views) + 1.5)) {
    throw Error::misuse(fmt::format("the views cover {:.1f} of the 180 degrees that are needed",
                                    180 * static_cast<double>(views) / half_turn),
                        "angles are in radians; a scan of less than a half turn does not show its axis");
  }
  if (!(half_turn >= static_cast<double>(kFewestViews))) {
    throw Error::misuse(fmt::format("{:.0f} views a half turn are too few to find the axis", half_turn),
                        fmt::format("at least {} are needed; angles are in radians", kFewestViews));
  }
  return std::min(views, static_cast<int64_t>(std::llround(half_turn)));
}

void check(const at::Tensor& sino, const std::vector<double>& angles_rad, double search_share) {
  if (static_cast<int64_t>(angles_rad.size()) != sino.size(0)) {
    throw Error::misuse(fmt::format("{} angles for {} views", angles_rad.size(), sino.size(0)));
  }
  if (sino.size(1) < kFewestColumns) {
    throw Error::misuse(fmt::format("{} detector columns are too few to find the axis", sino.size(1)),
                        fmt::format("at least {} are needed", kFewestColumns));
  }
  if (!(search_share > 0) || !(search_share <= 0.5)) {
    throw Error::misuse(fmt::format("a search over {} of the width on either side", search_share),
                        "the share is above 0 and at most 0.5");
  }
  if (!(sino.max().item<float>() > sino.min().item<float>())) {
    throw Error("the sinogram is constant: there is nothing in it to find the axis by",
                "choose a slice that the object reaches");
  }
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  const double upper = *middle;
  return values.size() % 2 == 1 ? upper : (upper + *std::max_element(values.begin(), middle)) / 2;
}

void check(const std::vector<double>& rows, const std::vector<double>& centres) {
  if (rows.size() != centres.size()) {
    throw Error::misuse(fmt::format("{} centres for {} rows", centres.size(), rows.size()));
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(rows, finite) || !std::ranges::all_of(centres, finite)) {
    throw Error::misuse("a centre of rotation or its row is not a finite number");
  }
}

}  // namespace

double find_centre(const at::Tensor& sino_VU, const std::vector<double>& angles_rad, double search_share) {
  const at::Tensor sino = as_finite(sino_VU, "the sinogram", "V, U");
  check(sino, angles_rad, search_share);
  const int64_t half = views_a_half_turn(angles_rad);
  const bool full = sino.size(0) >= 2 * half;
  const auto columns = static_cast<double>(sino.size(1));
  const double middle = (columns - 1) / 2, reach = search_share * columns;
  return search(full ? pair_misfit : wedge_misfit, sino.narrow(0, 0, full ? 2 * half : half), middle - reach,
                middle + reach);
}

AxisLine fit_centres(const std::vector<double>& rows, const std::vector<double>& centres) {
  check(rows, centres);
  std::vector<double> slopes, starts;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (rows[i] != rows[k]) slopes.push_back((centres[i] - centres[k]) / (rows[i] - rows[k]));
    }
  }
  if (slopes.empty()) {
    throw Error::misuse(fmt::format("{} centres cannot tell how the axis is tilted", rows.size()),
                        "find the centre in slices of at least two different rows");
  }
  const double slope = median_of(slopes);
  for (size_t i = 0; i < rows.size(); ++i) starts.push_back(centres[i] - slope * rows[i]);
  return {median_of(starts), slope};
}

}  // namespace lucivox
