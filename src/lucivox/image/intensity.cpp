#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/image/intensity.h>

namespace lucivox {
namespace {

constexpr double kReferenceFloor = -1024;  // HU; the public code raises what lies below it (padding)

Units units_named(const std::string& name) {
  for (const Units units : {Units::HU, Units::PerMm, Units::Unknown}) {
    if (name == to_string(units)) return units;
  }
  throw Error::misuse(fmt::format("unknown units '{}'", name), "use 'HU', '1/mm' or 'unknown'");
}

}  // namespace

at::Tensor AppliedMapping::to_unit(const at::Tensor& values) const {
  return (values - offset) / scale;
}
at::Tensor AppliedMapping::from_unit(const at::Tensor& unit) const {
  return unit * scale + offset;
}

AppliedMapping apply_mapping(const IntensityMapping& mapping, const at::Tensor& values) {
  if (mapping.kind == IntensityMapping::Kind::Window) {
    return {at::full({}, mapping.low, values.options()),
            at::full({}, mapping.high - mapping.low, values.options())};
  }
  const at::Tensor low = values.amin({1, 2, 3}, true).clamp_min(kReferenceFloor);
  const at::Tensor high = values.amax({1, 2, 3}, true);
  return {high, at::where(high > low, low - high, -at::ones_like(low))};
}

Json to_json(const IntensityMapping& mapping) {
  const std::string units = to_string(mapping.units);
  if (mapping.kind == IntensityMapping::Kind::SliceMinMax)
    return {{"kind", "slice-min-max"}, {"units", units}};
  return {{"kind", "window"}, {"low", mapping.low}, {"high", mapping.high}, {"units", units}};
}

IntensityMapping mapping_from_json(const Json& json) {
  IntensityMapping mapping;
  std::string kind = "window", units = to_string(mapping.units);
  ConfigTable table(json, "intensity");
  table.read("kind", kind);
  table.read("low", mapping.low);
  table.read("high", mapping.high);
  table.read("units", units);
  table.finish();
  mapping.units = units_named(units);
  if (kind == "slice-min-max") {
    mapping.kind = IntensityMapping::Kind::SliceMinMax;
  } else if (kind != "window") {
    throw Error::misuse(fmt::format("unknown intensity mapping '{}'", kind),
                        "use 'window' or 'slice-min-max'");
  }
  if (!(mapping.low < mapping.high)) {
    throw Error::misuse(fmt::format("the intensity window {} .. {} is empty", mapping.low, mapping.high),
                        "give low < high, for chest CT -1536 and 1536");
  }
  return mapping;
}

std::string describe(const IntensityMapping& mapping) {
  if (mapping.kind == IntensityMapping::Kind::SliceMinMax) return "each slice by its own minimum and maximum";
  const std::string window = fmt::format("fixed window {:g} .. {:g}", mapping.low, mapping.high);
  return mapping.units == Units::Unknown ? window : fmt::format("{} {}", window, to_string(mapping.units));
}

}  // namespace lucivox
