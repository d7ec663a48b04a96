#include <array>

#include <ATen/ATen.h>

#include <lucivox/program/tissue_bias.h>

namespace lucivox {
namespace {

struct Tissue {
  const char* name;
  double low, high;  // HU
};

constexpr std::array kTissues{Tissue{"air", -2000, -950},
                              Tissue{"lung", -950, -700},
                              Tissue{"dense lung", -700, -300},
                              Tissue{"fat", -150, -50},
                              Tissue{"soft tissue", 0, 100},
                              Tissue{"bone", 200, 600},
                              Tissue{"dense bone, metal", 600, 4000}};

constexpr int64_t kSurroundings = 5;  // pixels

}  // namespace

TissueBias::TissueBias() : sums_(kTissues.size()) {}

void TissueBias::add(const at::Tensor& low, const at::Tensor& enhanced, const at::Tensor& full) {
  const at::Tensor around = at::avg_pool2d(full.unsqueeze(0).unsqueeze(0), {kSurroundings, kSurroundings},
                                           {1, 1}, {kSurroundings / 2, kSurroundings / 2}, false, false)
                                .squeeze(0)
                                .squeeze(0);
  for (size_t i = 0; i < kTissues.size(); ++i) {
    const at::Tensor mask = at::logical_and(around >= kTissues[i].low, around < kTissues[i].high);
    const auto sum = [&](const at::Tensor& image) {
      return (image - full).masked_select(mask).sum(at::kDouble).item<double>();
    };
    sums_[i].before += sum(low);
    sums_[i].after += sum(enhanced);
    sums_[i].pixels += mask.sum().item<int64_t>();
  }
}

Json TissueBias::json() const {
  Json tissues = Json::array();
  for (size_t i = 0; i < kTissues.size(); ++i) {
    if (sums_[i].pixels == 0) continue;
    const auto pixels = static_cast<double>(sums_[i].pixels);
    tissues.push_back({{"tissue", kTissues[i].name},
                       {"low_hu", kTissues[i].low},
                       {"high_hu", kTissues[i].high},
                       {"pixels", sums_[i].pixels},
                       {"before_hu", sums_[i].before / pixels},
                       {"after_hu", sums_[i].after / pixels}});
  }
  return tissues;
}

}  // namespace lucivox
