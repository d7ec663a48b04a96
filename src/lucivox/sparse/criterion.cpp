#include <algorithm>
#include <array>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/sparse/patterns.h>
#include <lucivox/sparse/structured.h>
#include <lucivox/sparse/unstructured.h>

namespace lucivox {
namespace {

struct Target {
  const char* name;
  bool convolutions, deconvolutions;

  bool includes(const ConvolutionWeight& layer) const {
    return !layer.last && (layer.convolution.transposed ? deconvolutions : convolutions);
  }
};

constexpr std::array<Target, 3> kTargets{{
    {"convolution", true, false},
    {"deconvolution", false, true},
    {"both", true, true},
}};

std::vector<ConvolutionWeight> targeted(const Weights& network, const Target& target) {
  std::vector<ConvolutionWeight> chosen = convolutions_of(network);
  std::erase_if(chosen, [&](const ConvolutionWeight& layer) { return !target.includes(layer); });
  return chosen;
}

struct Request {
  const Weights& network;
  const Target& target;
  double amount;
  uint64_t seed;
};

// The masks of a criterion that looks at one layer at a time, and leaves it alone by giving no tensor.
template <at::Tensor (*mask_of)(const ConvolutionWeight&, double)>
Masks layer_by_layer(const Request& request) {
  Masks masks;
  for (const ConvolutionWeight& layer : targeted(request.network, request.target)) {
    const at::Tensor mask = mask_of(layer, request.amount);
    if (mask.defined()) masks.emplace_back(layer.name + ".weight", mask);
  }
  return masks;
}

Masks nothing(const Request&) {
  return {};
}
Masks random(const Request& r) {
  return random_masks(targeted(r.network, r.target), r.amount, r.seed);
}
Masks magnitude_global(const Request& r) {
  return global_magnitude_masks(targeted(r.network, r.target), r.amount);
}
template <Structure structure, int norm>
Masks structured(const Request& r) {
  return structured_masks(r.network, r.amount, {structure, norm, [&r](const ConvolutionWeight& layer) {
                                                  return r.target.includes(layer);
                                                }});
}

struct Criterion {
  const char* name;
  Masks (*masks)(const Request&);
};

constexpr std::array<Criterion, 10> kCriteria{{
    {"none", nothing},
    {"random", random},
    {"magnitude", layer_by_layer<magnitude_mask>},
    {"magnitude-global", magnitude_global},
    {"filters-l1", structured<Structure::Filters, 1>},
    {"filters-l2", structured<Structure::Filters, 2>},
    {"channels-l1", structured<Structure::Channels, 1>},
    {"channels-l2", structured<Structure::Channels, 2>},
    {"corners", layer_by_layer<corners_mask>},
    {"2:4", layer_by_layer<two_of_four_mask>},
}};

// The entry of that name; throws Error listing what there is.
template <typename Table>
const auto& entry_of(const Table& table, const std::string& name, const char* what) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& entry) { return name == entry.name; });
  if (found != table.end()) return *found;
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  throw Error::misuse(fmt::format("unknown {} '{}'", what, name),
                      fmt::format("use one of: {}", fmt::join(names, ", ")));
}

const Criterion& criterion_of(const PruningOptions& options) {
  return entry_of(kCriteria, options.criterion, "pruning criterion");
}
const Target& target_of(const PruningOptions& options) {
  return entry_of(kTargets, options.targets, "pruning target");
}

void require_some_left(const Masks& masks) {
  for (const auto& [name, mask] : masks) {
    if (!mask.any().item<bool>()) {
      throw Error(fmt::format("pruning would leave nothing of '{}'", name),
                  "choose a smaller amount, or a criterion that prunes the same share of every layer");
    }
  }
}

}  // namespace

std::vector<std::string> pruning_criteria() {
  std::vector<std::string> names;
  for (const Criterion& criterion : kCriteria) names.emplace_back(criterion.name);
  return names;
}

void check(const PruningOptions& options) {
  criterion_of(options);
  target_of(options);
  if (!(options.amount >= 0 && options.amount < 1)) {
    throw Error::misuse(fmt::format("an amount of {} to prune", options.amount),
                        "give a share from 0 to below 1, such as 0.5");
  }
  if (options.criterion == "2:4" && options.amount != 0.5) {
    throw Error::misuse(fmt::format("2:4 with an amount of {}", options.amount),
                        "2 of 4 are half: give 0.5, or another criterion");
  }
}

Masks pruning_masks(const Weights& network, const PruningOptions& options, uint64_t seed) {
  check(options);
  const at::NoGradGuard no_grad;
  const Masks masks = criterion_of(options).masks({network, target_of(options), options.amount, seed});
  require_some_left(masks);
  return masks;
}

}  // namespace lucivox
