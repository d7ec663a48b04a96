#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/tiff_description.h>

namespace lucivox::formats {
namespace {

std::optional<double> finite_number(const std::map<std::string, std::string>& entries,
                                    const std::string& key) {
  const auto found = entries.find(key);
  if (found == entries.end()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  return end != found->second.c_str() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

// What ImageJ adds to signed 16-bit pixels.
double imagej_offset(Scalar scalar) {
  return scalar == Scalar::Int16 ? 32768 : 0;
}

// The unit of values that are not known in one of ours: the source's, or ImageJ's name for none.
std::string value_unit(const ImageInfo& info) {
  if (info.units != Units::Unknown) return to_string(info.units);
  const auto named = info.header.find("vunit");
  return named == info.header.end() ? "Gray Value" : named->second;
}

void add_calibration(const ImageInfo& info, std::map<std::string, std::string>& entries) {
  const bool calibrated = !is_identity(calibration_of(info));
  if (!calibrated && info.units == Units::Unknown) return;
  entries["vunit"] = value_unit(info);
  if (is_float(info.scalar)) return;
  entries["cf"] = "0";
  entries["c0"] = fmt::format("{}", info.intercept - info.slope * imagej_offset(info.scalar));
  entries["c1"] = fmt::format("{}", info.slope);
}

std::map<std::string, std::string> entries_for(const ImageInfo& info, const std::string& derivation) {
  std::map<std::string, std::string> entries;
  add_calibration(info, entries);
  if (info.spacing_known) {
    entries["unit"] = "mm";
    entries["spacing"] = fmt::format("{}", info.spacing_mm[2]);
  }
  if (!derivation.empty()) entries["derivation"] = derivation.substr(0, derivation.find('\n'));
  return entries;
}

}  // namespace

std::map<std::string, std::string> described_entries(const std::string& description) {
  std::map<std::string, std::string> entries;
  std::istringstream lines(description);
  for (std::string line; std::getline(lines, line);) {
    const size_t sign = line.find('=');
    if (sign != std::string::npos && sign > 0)
      entries[clean_text(line.substr(0, sign))] = clean_text(line.substr(sign + 1));
  }
  return entries;
}

Calibration described_calibration(const std::map<std::string, std::string>& entries, Scalar scalar) {
  const auto slope = finite_number(entries, "c1"), intercept = finite_number(entries, "c0");
  if (!slope && !intercept) return {};
  const double factor = slope.value_or(1);
  if (factor == 0) return {};
  return {factor, intercept.value_or(0) + factor * imagej_offset(scalar)};
}

Units described_units(const std::map<std::string, std::string>& entries) {
  const auto named = entries.find("vunit");
  for (const Units units : {Units::HU, Units::PerMm}) {
    if (named != entries.end() && named->second == to_string(units)) return units;
  }
  return Units::Unknown;
}

std::optional<double> described_unit_mm(const std::map<std::string, std::string>& entries) {
  static const std::map<std::string, double> known = {
      {"mm", 1},    {"millimeter", 1}, {"cm", 10},        {"m", 1000},  {"um", 1e-3},   {"\\u00B5m", 1e-3},
      {"µm", 1e-3}, {"micron", 1e-3},  {"microns", 1e-3}, {"nm", 1e-6}, {"inch", 25.4}, {"in", 25.4}};
  const auto named = entries.find("unit");
  if (named == entries.end()) return std::nullopt;
  const auto found = known.find(named->second);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

std::string description_for(const ImageInfo& info, const std::string& kept, const std::string& derivation,
                            bool for_imagej) {
  // what is written is a plain stack: a source's channels and frames become slices
  static const std::set<std::string> replaced = {"images", "slices", "channels", "frames",    "hyperstack",
                                                 "cf",     "c0",     "c1",       "derivation"};
  std::map<std::string, std::string> ours = entries_for(info, derivation);
  if (for_imagej && info.shape[0] > 1) ours["images"] = ours["slices"] = std::to_string(info.shape[0]);
  std::string description;
  std::istringstream lines(kept);
  for (std::string line; std::getline(lines, line);) {
    const std::string key = line.substr(0, line.find('='));
    if (key == "ImageJ" && !for_imagej) continue;
    // tifffile's {"shape": ...} is JSON and would be broken by lines after it; pages tell the shape
    if (replaced.contains(key) || ours.contains(key) || line.starts_with("{\"shape\"")) continue;
    description += line + '\n';
  }
  const bool named = description.starts_with("ImageJ=");
  if (for_imagej && !ours.empty() && !named)
    description.insert(0, "ImageJ=1.54\n");  // or it reads none of it
  for (const auto& [key, value] : ours) description += fmt::format("{}={}\n", key, value);
  return description;
}

}  // namespace lucivox::formats
