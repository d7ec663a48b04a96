// write_stacks FOLDER: small TIFF stacks of several types, and stacks.json, which describes them.
#include <filesystem>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/open.h>

namespace lucivox {
namespace {

constexpr int64_t kRows = 17, kColumns = 19;  // odd: pages are not aligned by chance

struct Kind {
  std::string name;
  Scalar scalar;
  double slope, intercept;
  Units units;
  double low, step;  // of the values
};

// The whole range of each type, and those that need a calibration in ImageJ.
const std::vector<Kind> kKinds = {{"uint8", Scalar::UInt8, 1, 0, Units::Unknown, 0, 1},
                                  {"uint16", Scalar::UInt16, 1, 0, Units::Unknown, 0, 256},
                                  {"int16", Scalar::Int16, 1, 0, Units::Unknown, -32768, 256},
                                  {"float32", Scalar::Float32, 1, 0, Units::Unknown, -1, 0.0125},
                                  {"hu-uint8", Scalar::UInt8, 8, -1024, Units::HU, -1024, 8},
                                  {"hu-uint16", Scalar::UInt16, 0.5, -1024, Units::HU, -1000, 7.5},
                                  {"hu-int16", Scalar::Int16, 1, 0, Units::HU, -1024, 8},
                                  {"hu-int16-scaled", Scalar::Int16, 0.5, -100, Units::HU, -1000, 7.5},
                                  {"scaled-int16", Scalar::Int16, 2, 1, Units::Unknown, -255, 2},
                                  {"per-mm", Scalar::Float32, 1, 0, Units::PerMm, 0, 0.0002}};

// low + step * ((13 z + 7 y + x) mod 256)
at::Tensor values_of(const Kind& kind, int64_t pages) {
  const at::Tensor z = at::arange(pages).reshape({-1, 1, 1}), y = at::arange(kRows).reshape({-1, 1}),
                   x = at::arange(kColumns);
  return ((13 * z + 7 * y + x).remainder(256).to(at::kDouble) * kind.step + kind.low).to(at::kFloat);
}

Json write_stack(const std::filesystem::path& folder, const Kind& kind, int64_t pages) {
  ImageInfo info;
  info.shape = {pages, kRows, kColumns};
  info.spacing_mm = {0.5, 0.75, 2.5};
  info.spacing_known = true;
  info.scalar = kind.scalar;
  info.slope = kind.slope;
  info.intercept = kind.intercept;
  info.units = kind.units;
  const std::string file = fmt::format("{}-{}.tif", kind.name, pages);
  const auto sink = create(folder / file, info);
  sink->write(whole(info), values_of(kind, pages));
  sink->commit();
  return {{"file", file},
          {"shape", info.shape},
          {"type", to_string(kind.scalar)},
          {"slope", kind.slope},
          {"intercept", kind.intercept},
          {"units", to_string(kind.units)},
          {"low", kind.low},
          {"step", kind.step}};
}

}  // namespace
}  // namespace lucivox

int main(int, char** arguments) {
  using namespace lucivox;
  const std::filesystem::path folder = arguments[1];
  Json stacks = Json::array();
  for (const auto& kind : kKinds) {
    for (const int64_t pages : {1, 2, 3, 6, 300}) stacks.push_back(write_stack(folder, kind, pages));
  }
  write_file(folder / "stacks.json", stacks.dump());
}
