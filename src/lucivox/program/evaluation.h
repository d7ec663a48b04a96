#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/base/progress.h>
#include <lucivox/base/stop.h>
#include <lucivox/metrics/quality.h>

namespace lucivox {

struct SliceQuality {
  std::string name;
  Quality quality;
};

struct Evaluation {
  QualityWindow window;
  std::vector<SliceQuality> slices;
  Quality mean;
};

Json to_json(const Evaluation& evaluation);

// How near the image `a` is to the truth `b`, slice by slice: two images, two DICOM series, or two folders
// of images with the same names. Pixels that `b` marks as padding count as equal. Throws Error when sizes
// differ, files are damaged or values are not finite.
Evaluation evaluate(const std::filesystem::path& a, const std::filesystem::path& b,
                    const QualityWindow& window, const Console& console, const StopToken& stop);

}  // namespace lucivox
