#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/image/projections.h>
#include <lucivox/tomo/preprocess/recorded.h>

namespace lucivox {

// Where the axis of rotation of a scan is taken to lie, in detector columns from 0.
struct CentreChoice {
  enum class Kind {
    Automatic,  // one column for all rows: the median of what some rows say
    Tilted,     // a line through what some rows say
    PerSlice,   // what each row says for itself
    Given,      // from `first` at the first row to `last` at the last one of the scan
  };
  Kind kind = Kind::Automatic;
  double first = 0, last = 0;
};

// "auto", "tilted", "per-slice", "296.2" or "295.1,297.4". Throws Error (misuse).
CentreChoice centre_choice(const std::string& text);

// Opens a scan that is to be reconstructed into `out`; strays in its folders are noted. Throws Error, also
// (misuse) when `out` is not apart from what the scan is read from.
std::unique_ptr<ProjectionSource> open_scan(const std::filesystem::path& scan,
                                            const std::filesystem::path& out, Reporter& reporter);

// `rows` with the halo that they need, as far as the detector has one.
Rows with_halo(Rows rows, const ScanInfo& info, const Preprocessing& preprocessing);
Recorded read_recorded(const ProjectionSource& scan, Rows rows);
// The line integrals of some rows of a scan, read with their halo: sinograms [rows, V, U].
at::Tensor read_line_integrals(const ProjectionSource& scan, Rows rows, const Preprocessing& preprocessing);

// The centre of each of `rows`. Throws Error when none can be found, or a given one lies off the detector.
std::vector<double> centres_of(const ProjectionSource& scan, Rows rows, const CentreChoice& choice,
                               const Preprocessing& preprocessing, Reporter& reporter);

// Candidate columns for a picture of all their reconstructions.
struct CentreSweep {
  double first = 0, last = 0, step = 1;
};

// "280,310,2". Throws Error (misuse) unless it counts upwards, to 2 to 100 candidates.
CentreSweep centre_sweep(const std::string& text);

// Slice `row` by FBP with each candidate, side by side with their columns written above, as a PNG file at
// `out`: the sharpest one is right. Computed on `device`. Throws Error.
void write_centre_sweep(const ProjectionSource& scan, int64_t row, const CentreSweep& sweep,
                        const Preprocessing& preprocessing, c10::Device device,
                        const std::filesystem::path& out, Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
