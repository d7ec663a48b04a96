#pragma once

#include <filesystem>

#include <lucivox/base/progress.h>
#include <lucivox/base/stop.h>
#include <lucivox/tomo/simulate.h>

namespace lucivox {

// Writes slices [first, first + count) of a simulation into folder/HQ (full dose), folder/LQ (low dose) and
// folder/truth (the phantom) as slice_0000.tif, ...: float32, HU, with the pixel size.
// Throws Error when one of them exists already, or when stopped.
void simulate_ct_files(const std::filesystem::path& folder, const CtSimulation& simulation, int64_t first, int64_t count,
                       const Console& console, const StopToken& stop);

}  // namespace lucivox
