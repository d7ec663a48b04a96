#pragma once

#include <map>
#include <optional>
#include <string>

#include <lucivox/image/image.h>
#include <lucivox/image/pixels.h>

// The ImageDescription of a TIFF as ImageJ writes it: lines "key=value" after a first line "ImageJ=...".
// Calibration is "cf=0" (a straight line), "c0=", "c1=" (value = c0 + c1 * stored) and "vunit=", without
// which ImageJ ignores it; the size of a voxel is "unit=" and "spacing=" with the resolution tags as pixels
// per unit.
namespace lucivox::formats {

std::map<std::string, std::string> described_entries(const std::string& description);
// ImageJ holds signed 16-bit pixels as unsigned ones that are 32768 larger, and c0 refers to these.
Calibration described_calibration(const std::map<std::string, std::string>& entries, Scalar scalar);
Units described_units(const std::map<std::string, std::string>& entries);
// Millimetres in the unit that the description names; nothing when it names none that is known.
std::optional<double> described_unit_mm(const std::map<std::string, std::string>& entries);

// The description for an image: the lines of `kept` (the source's, or empty), those about pages, calibration
// and slice spacing corrected, and the derivation. ImageJ takes the pixels of "images=" pages from behind the
// first one; without `for_imagej` there is neither that line nor ImageJ's first one.
std::string description_for(const ImageInfo& info, const std::string& kept, const std::string& derivation,
                            bool for_imagej);

}  // namespace lucivox::formats
