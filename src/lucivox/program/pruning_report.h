#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/program/report.h>

namespace lucivox {

// What a training's records tell about its pruning: when and why, by which criterion, and, where there
// are validation slices, their quality while dense, right after the (last) pruning, and in the end: "dense",
// "pruned", "retrained". Empty for a run that pruned nothing.
Json pruning_summary(const RunRecords& records);

// Table 1 of Chaturvedi et al., "pruning without retraining", from pruning_summary(); nothing without
// validation.
std::optional<ReportTable> pruning_table(const Json& summary);

// The loss gradient that the switch is decided by (figure 4b), and the convolution weights that are kept
// before and after the last pruning (figure 3), as SVG; none for a run that pruned nothing.
std::vector<std::string> pruning_charts(const RunRecords& records);

}  // namespace lucivox
