#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/preprocess/checks.h>
#include <lucivox/tomo/preprocess/median.h>
#include <lucivox/tomo/preprocess/normalise.h>

namespace lucivox {
namespace {

// Good pixels of one detector differ by some percent, and dust on a scintillator takes up to half of the
// light; a pixel below this share of its neighbours has another reason.
constexpr float kDeadShare = 0.3F;
constexpr int64_t kNeighbourhood = 7;
constexpr double kMostDead = 0.25;

bool is_empty(const at::Tensor& fields) {
  return !fields.defined() || fields.numel() == 0;
}

void check_counts(const at::Tensor& counts, std::string_view what) {
  const int64_t negative = (counts < 0).sum().item<int64_t>();
  if (negative > 0) {
    throw Error(fmt::format("{} of {} photon counts of {} are negative", negative, counts.numel(), what),
                "raw counts are needed; for transmissions give neither flat nor dark fields");
  }
}

void check_same_detector(const at::Tensor& one, std::string_view what, const at::Tensor& other,
                         std::string_view other_what) {
  if (one.sizes().slice(1) != other.sizes().slice(1)) {
    throw Error::misuse(fmt::format("{} of {} x {} pixels and {} of {} x {}", what, one.size(1), one.size(2),
                                    other_what, other.size(1), other.size(2)),
                        "all must come from the same rows and columns of the detector");
  }
}

at::Tensor checked_flats(const at::Tensor& flats_FZU) {
  at::Tensor flats = as_finite(flats_FZU, "the flat fields", "F, Z, U");
  check_counts(flats, "the flat fields");
  if (!(flats.max().item<float>() > 0)) {
    throw Error("the flat fields are all zero", "was the shutter closed, or is it the wrong dataset?");
  }
  return flats;
}

at::Tensor mean_dark(const at::Tensor& darks_DZU, const at::Tensor& flats) {
  if (is_empty(darks_DZU)) return at::zeros({flats.size(1), flats.size(2)}, at::kFloat);
  const at::Tensor darks = as_finite(darks_DZU, "the dark fields", "D, Z, U");
  check_counts(darks, "the dark fields");
  check_same_detector(darks, "dark fields", flats, "flat fields");
  return darks.mean(0);
}

// What the beam adds to each pixel, [Z, U].
at::Tensor beam_of(const at::Tensor& flats, const at::Tensor& dark) {
  at::Tensor beam = (flats.mean(0) - dark).contiguous();
  if (!(beam.max().item<float>() > 0)) {
    throw Error("every pixel is dead: the flat fields are nowhere above the dark fields",
                "have flat and dark fields been exchanged?");
  }
  return beam;
}

float median_around(const at::TensorAccessor<const float, 2>& beam, int64_t z, int64_t u) {
  constexpr int64_t reach = kNeighbourhood / 2;
  std::array<float, kNeighbourhood * kNeighbourhood> window{};
  int64_t count = 0;
  for (int64_t y = std::max<int64_t>(z - reach, 0); y <= std::min(z + reach, beam.size(0) - 1); ++y) {
    for (int64_t x = std::max<int64_t>(u - reach, 0); x <= std::min(u + reach, beam.size(1) - 1); ++x) {
      window[static_cast<size_t>(count++)] = beam[y][x];
    }
  }
  return median(window.data(), count);
}

// pixels[target] = (1 - share) pixels[before] + share pixels[after]
struct Filling {
  int64_t target, before, after;
  float share;
};

// Fills the gaps of a line of `count` pixels that lie `stride` apart, the first at `first`, and are good
// where good(i). At the ends the nearest good one is copied. Nothing is done where none is good.
template <class Good>
void fill_line(int64_t first, int64_t count, int64_t stride, Good good, std::vector<Filling>& fillings) {
  int64_t before = -1;
  for (int64_t i = 0; i < count; ++i) {
    if (good(i)) {
      before = i;
      continue;
    }
    int64_t after = i;
    while (after < count && !good(after)) ++after;
    if (after == count && before < 0) return;
    const int64_t left = before < 0 ? after : before, right = after == count ? before : after;
    const float share = left == right ? 0 : static_cast<float>(i - left) / static_cast<float>(right - left);
    fillings.push_back({first + i * stride, first + left * stride, first + right * stride, share});
  }
}

// In the order in which they must be done: along U first, then whole rows from rows that are complete.
std::vector<Filling> fillings_of(const at::Tensor& mask_ZU) {
  const int64_t height = mask_ZU.size(0), width = mask_ZU.size(1);
  const bool* const dead = mask_ZU.const_data_ptr<bool>();
  std::vector<Filling> fillings;
  std::vector<char> row_has_good(static_cast<size_t>(height));
  for (int64_t z = 0; z < height; ++z) {
    const auto good = [&](int64_t u) { return !dead[z * width + u]; };
    fill_line(z * width, width, 1, good, fillings);
    row_has_good[static_cast<size_t>(z)] =
        std::find(dead + z * width, dead + (z + 1) * width, false) != dead + (z + 1) * width;
  }
  const auto complete = [&](int64_t z) { return row_has_good[static_cast<size_t>(z)] != 0; };
  for (int64_t u = 0; u < width; ++u) fill_line(u, height, width, complete, fillings);
  return fillings;
}

void check_mask(const at::Tensor& data_VZU, const at::Tensor& mask_ZU) {
  if (data_VZU.dim() != 3 || mask_ZU.scalar_type() != at::kBool ||
      data_VZU.sizes().slice(1) != mask_ZU.sizes()) {
    throw Error::misuse("projections and mask of dead pixels do not fit",
                        "they must be [V, Z, U] and bool [Z, U] of the same detector");
  }
  const double share = mask_ZU.to(at::kDouble).mean().item<double>();
  if (share > kMostDead) {
    throw Error(fmt::format("{:.0f} % of the detector's pixels are dead", 100 * share),
                "crop the scan to the part of the detector that the beam reaches");
  }
}

}  // namespace

at::Tensor normalise(const at::Tensor& data_VZU, const at::Tensor& flats_FZU, const at::Tensor& darks_DZU) {
  at::Tensor data = as_finite(data_VZU, "the projections", "V, Z, U");
  if (is_empty(flats_FZU)) {
    if (is_empty(darks_DZU)) return data;
    throw Error::misuse("dark fields without flat fields", "give both, or none for transmissions");
  }
  const at::Tensor flats = checked_flats(flats_FZU);
  check_same_detector(data, "projections", flats, "flat fields");
  check_counts(data, "the projections");
  const at::Tensor dark = mean_dark(darks_DZU, flats), beam = beam_of(flats, dark);
  const at::Tensor gain =
      at::where(beam > 0, beam.reciprocal(), std::numeric_limits<float>::quiet_NaN()).contiguous();

  at::Tensor transmission = at::empty_like(data);
  const int64_t pixels = beam.numel();
  const float *const d = dark.const_data_ptr<float>(), *const g = gain.const_data_ptr<float>();
  const float* const counts = data.const_data_ptr<float>();
  float* const out = transmission.mutable_data_ptr<float>();
  parallel_for(0, data.size(0), [&](int64_t v) {
    for (int64_t i = 0; i < pixels; ++i) out[v * pixels + i] = (counts[v * pixels + i] - d[i]) * g[i];
  });
  return transmission;
}

at::Tensor dead_pixels(const at::Tensor& flats_FZU, const at::Tensor& darks_DZU) {
  const at::Tensor flats = checked_flats(flats_FZU);
  const at::Tensor beam = beam_of(flats, mean_dark(darks_DZU, flats));
  at::Tensor mask = at::empty(beam.sizes(), at::kBool);
  const auto values = beam.accessor<const float, 2>();
  auto dead = mask.accessor<bool, 2>();
  parallel_for(0, beam.size(0), [&](int64_t z) {
    for (int64_t u = 0; u < beam.size(1); ++u) {
      const float value = values[z][u];
      dead[z][u] = !(value > 0) || value < kDeadShare * median_around(values, z, u);
    }
  });
  return mask;
}

at::Tensor repair(const at::Tensor& data_VZU, const at::Tensor& mask_ZU) {
  check_mask(data_VZU, mask_ZU);
  const std::vector<Filling> fillings = fillings_of(mask_ZU.cpu().contiguous());
  at::Tensor repaired = data_VZU.to(at::kCPU, at::kFloat).clone(at::MemoryFormat::Contiguous);
  float* const data = repaired.mutable_data_ptr<float>();
  parallel_for(0, repaired.size(0), [&](int64_t v) {
    float* const view = data + v * mask_ZU.numel();
    for (const Filling& f : fillings) {
      view[f.target] = (1 - f.share) * view[f.before] + f.share * view[f.after];
    }
  });
  return repaired;
}

at::Tensor minus_log(const at::Tensor& transmission, double floor) {
  if (!(floor > 0)) {
    throw Error::misuse(fmt::format("a smallest transmission of {}", floor),
                        "it must be positive, so that its logarithm exists");
  }
  return transmission.clamp_min(floor).log_().neg_();
}

}  // namespace lucivox
