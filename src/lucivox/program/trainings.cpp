#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/program/trainings.h>

namespace lucivox {
namespace {

const Training kTrainings[] = {
    {"ddnet", "low-dose CT enhancement from pairs of slices", [] { return SupervisedOptions(); }, false,
     true},
    {"tomogan", "enhancement of noisy tomograms by a generative adversarial network", tomogan_training, true,
     false},
};

}  // namespace

std::span<const Training> trainings() {
  return kTrainings;
}

const Training& training_of(const std::string& network) {
  const auto* found = std::find_if(std::begin(kTrainings), std::end(kTrainings),
                                   [&](const Training& one) { return one.network == network; });
  if (found == std::end(kTrainings))
    throw Error::misuse(fmt::format("no network '{}' can be trained", network), "see `lucivox train --help`");
  return *found;
}

}  // namespace lucivox
