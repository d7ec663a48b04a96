#pragma once

#include <lucivox/program/report.h>
#include <lucivox/program/sweep.h>

namespace lucivox {

// The page about a sweep: final MS-SSIM of the validation slices against the dense epochs (Chaturvedi et al.,
// figure 4c) or against the pruned share, the dense run as a dashed level; and a table of all runs.
// `summary`: what run_sweep() gives.
ReportContent sweep_report(Sweep sweep, const Json& summary);

}  // namespace lucivox
