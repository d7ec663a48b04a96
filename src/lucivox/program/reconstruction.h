#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include <c10/core/Device.h>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>
#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/image/projections.h>
#include <lucivox/program/scan_centres.h>
#include <lucivox/tomo/preprocess/recorded.h>
#include <lucivox/tomo/reconstruct.h>

namespace lucivox {

struct ReconstructionOptions {
  Preprocessing preprocessing;
  CentreChoice centre;
  ReconstructionMethod method = RampWindow::SheppLogan;
  std::optional<Rows> rows = {};        // which slices; all unless told
  std::optional<double> pixel_mm = {};  // of the detector; the scan's own unless told
  double memory_bytes = 0;              // bound of the whole program; 0: half of the machine's memory
  c10::Device device = c10::kCPU;       // that computes the slices
  bool resume = false;                  // go on with what a run that was ended left
};

// What came of it. Not finished: stopped on request, to be resumed.
struct ReconstructionResult {
  bool finished = false;
  int64_t slices = 0, slab_rows = 0;
  double first_centre = 0, last_centre = 0, seconds = 0;
};

Json to_json(const ReconstructionResult& result);

// Reconstructs the slices of a parallel-beam scan slab by slab within the memory bound, the next slab being
// read and the last one written meanwhile, into an image of the kind that `out` names: float32 in 1/mm (in
// 1/pixel when nobody knows the pixel's size), one slice a detector row, the axis of rotation at x = y = 0.
// PNG, for one slice, holds 16 bits between the darkest and the brightest 0.1 %. Finished slabs wait in the
// folder .NAME.slabs beside `out` until all are there. Throws Error, also (misuse) when `out` is not apart
// from the scan or may not be replaced; nothing half-written stays under its final name.
ReconstructionResult reconstruct_scan(const std::filesystem::path& scan, const Output& out,
                                      const ReconstructionOptions& options, Reporter& reporter,
                                      const StopToken& stop);

}  // namespace lucivox
