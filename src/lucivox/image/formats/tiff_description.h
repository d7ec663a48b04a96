#pragma once

#include <map>
#include <optional>
#include <string>

#include <lucivox/image/formats/pixels.h>
#include <lucivox/image/image.h>

// The ImageDescription of a TIFF as ImageJ writes it: lines "key=value" after a first line "ImageJ=...".
// Calibration is "c0=", "c1=" (value = c0 + c1 * stored), the size of a voxel is "unit=" and "spacing=" with
// the resolution tags as pixels per unit.
namespace lucivox::formats {

std::map<std::string, std::string> described_entries(const std::string& description);
Calibration described_calibration(const std::map<std::string, std::string>& entries);
// Millimetres in the unit that the description names; nothing when it names none that is known.
std::optional<double> described_unit_mm(const std::map<std::string, std::string>& entries);

// The description for an image: the lines of `kept` (the source's, or empty), those that tell of pages,
// calibration and slice spacing corrected, and the derivation.
std::string description_for(const ImageInfo& info, const std::string& kept, const std::string& derivation);

}  // namespace lucivox::formats
