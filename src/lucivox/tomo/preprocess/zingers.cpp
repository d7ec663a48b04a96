#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/preprocess/checks.h>
#include <lucivox/tomo/preprocess/median.h>
#include <lucivox/tomo/preprocess/zingers.h>

namespace lucivox {
namespace {

// One view, whose rows and columns outside are those at the edge.
struct View {
  const float* pixels;
  int64_t height, width;

  const float* row(int64_t z) const { return pixels + std::clamp<int64_t>(z, 0, height - 1) * width; }
};

float middle_of_three(float a, float b, float c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

// Medians of 3 x 3 for the row z. With the three values of each column in order, the median of nine is the
// middle one of: the largest of the low ones, the middle of the middle ones, the smallest of the high ones.
void medians_of_nine(const View& view, int64_t z, float* medians) {
  const float *above = view.row(z - 1), *here = view.row(z), *below = view.row(z + 1);
  const int64_t width = view.width;
  const auto padded = static_cast<size_t>(width + 2);
  std::vector<float> low(padded), middle(padded), high(padded);
  for (int64_t u = 0; u < width; ++u) {
    const auto i = static_cast<size_t>(u + 1);
    low[i] = std::min(std::min(above[u], here[u]), below[u]);
    high[i] = std::max(std::max(above[u], here[u]), below[u]);
    middle[i] = middle_of_three(above[u], here[u], below[u]);
  }
  for (std::vector<float>* line : {&low, &middle, &high}) {
    line->front() = (*line)[1];
    line->back() = (*line)[padded - 2];
  }
  for (int64_t u = 0; u < width; ++u) {
    const auto i = static_cast<size_t>(u);
    medians[u] = middle_of_three(std::max(std::max(low[i], low[i + 1]), low[i + 2]),
                                 middle_of_three(middle[i], middle[i + 1], middle[i + 2]),
                                 std::min(std::min(high[i], high[i + 1]), high[i + 2]));
  }
}

void medians_of_window(const View& view, int64_t z, int64_t size, float* medians) {
  std::vector<float> window(static_cast<size_t>(size * size));
  for (int64_t u = 0; u < view.width; ++u) {
    size_t count = 0;
    for (int64_t y = z - size / 2; y <= z + size / 2; ++y) {
      const float* const row = view.row(y);
      for (int64_t x = u - size / 2; x <= u + size / 2; ++x) {
        window[count++] = row[std::clamp<int64_t>(x, 0, view.width - 1)];
      }
    }
    medians[u] = median(window.data(), size * size);
  }
}

}  // namespace

at::Tensor remove_zingers(const at::Tensor& transmission_VZU, double threshold, int64_t size) {
  check_window(size);
  if (!(threshold > 0)) {
    throw Error::misuse(fmt::format("a threshold of {} for zingers", threshold),
                        "it must be positive; 0.1 is a tenth of the open beam");
  }
  const at::Tensor in = as_finite(transmission_VZU, "the projections", "V, Z, U");
  at::Tensor out = at::empty_like(in);
  const int64_t height = in.size(1), width = in.size(2);
  const float* const pixels = in.const_data_ptr<float>();
  float* const cleaned = out.mutable_data_ptr<float>();
  const auto limit = static_cast<float>(threshold);
  parallel_for(0, in.size(0) * height, [&](int64_t line) {
    const int64_t v = line / height, z = line % height;
    const View view{pixels + v * height * width, height, width};
    std::vector<float> medians(static_cast<size_t>(width));
    if (size == 3) {
      medians_of_nine(view, z, medians.data());
    } else {
      medians_of_window(view, z, size, medians.data());
    }
    const float* const row = view.row(z);
    for (int64_t u = 0; u < width; ++u) {
      const float smooth = medians[static_cast<size_t>(u)];
      cleaned[line * width + u] = row[u] - smooth > limit ? smooth : row[u];
    }
  });
  return out;
}

}  // namespace lucivox
