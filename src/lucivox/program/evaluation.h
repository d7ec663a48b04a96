#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/image/image.h>
#include <lucivox/metrics/quality.h>

namespace lucivox {

struct SliceQuality {
  std::string name;
  Quality quality;
};

struct Evaluation {
  Units units = Units::Unknown;  // of RMSE, bias and window
  QualityWindow window;
  std::string window_reason;  // "as given by --window"
  std::vector<SliceQuality> slices;
  Quality mean;
};

Json to_json(const Evaluation& evaluation);

// How near the image `a` is to the truth `b`, slice by slice: two images, two DICOM series, or two folders
// of images with the same names. Pixels that `b` marks as padding count as equal. Without `window`, HU are
// judged from -1024 to 1024, other values over the range of all of `b`. An image of unknown units counts as
// one of the others' units. Throws Error when sizes or units differ, files are damaged, values are not
// finite, or `b` has one value only where its range is needed.
Evaluation evaluate(const std::filesystem::path& a, const std::filesystem::path& b,
                    const std::optional<QualityWindow>& window, Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
