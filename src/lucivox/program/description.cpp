#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/folder.h>
#include <lucivox/formats/open.h>
#include <lucivox/formats/projections.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/description.h>
#include <lucivox/program/executor.h>
#include <lucivox/program/model_file.h>
#include <lucivox/train/run_folder.h>

namespace lucivox {
namespace {

// To a tenth.
double gflop(const Graph& graph) {
  return std::round(graph.flops(kTypicalSide, kTypicalSide) / 1e8) / 10;
}

int64_t filter_count(const Graph& graph) {
  int64_t filters = 0;
  for (const Node& node : graph.nodes()) {
    if (const auto* conv = std::get_if<Convolution>(&node.operation)) filters += conv->out;
  }
  return filters;
}

// What a network was before it was made smaller.
Json describe_removed(const Graph& dense, const Graph& shrunk) {
  return {{"filters", filter_count(dense) - filter_count(shrunk)},
          {"of", filter_count(dense)},
          {"dense_parameters", dense.parameter_count()},
          {"dense_gflop_512x512", gflop(dense)}};
}

bool mirrors(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
    const auto* convolution = std::get_if<Convolution>(&node.operation);
    return convolution != nullptr && convolution->padding == Padding::Reflect;
  });
}

Json describe_model(const std::filesystem::path& path) {
  const Model model = load_model(model_file(path, silence()));
  const Graph& graph = model.weights.graph();
  Json json = {{"model", model.name},
               {"architecture", graph.architecture()},
               {"layers", graph.layer_count()},
               {"parameters", graph.parameter_count()},
               {"gflop_512x512", gflop(graph)},
               {"dimensions", graph.dimensions()},
               {"input_slices", graph.channels(0)},
               {"receptive_radius", graph.receptive_radius()},
               {"size_multiple", graph.size_multiple()},
               {"executor_on_cpu", executor_on_cpu(graph)},
               {"intensity", describe(model.intensity)},
               {"border", mirrors(graph) ? "mirrored by every layer" : describe(model.border)},
               {"lucivox_version", model.version},
               {"training", model.training}};
  if (model.removed) json["removed"] = describe_removed(model.removed->dense, graph);
  return json;
}

Json describe_image(const std::filesystem::path& path) {
  const auto image = open(path);
  const ImageInfo& info = image->info();
  Json json = {{"image", image->name()},
               {"format", info.format},
               {"shape_zyx", info.shape},
               {"spacing_xyz_mm", info.spacing_known ? Json(info.spacing_mm) : Json()},
               {"origin_xyz_mm", info.spacing_known ? Json(info.origin_mm) : Json()},
               {"direction", info.direction},
               {"stored_type", to_string(info.scalar)},
               {"slope", info.slope},
               {"intercept", info.intercept},
               {"units", to_string(info.units)}};
  if (info.padding) json["padding"] = *info.padding;
  json["header"] = info.header;
  return json;
}

// A folder of images that are not one series: how many, and what the first is.
Json describe_folder(const ImageFolder& folder) {
  Json json = {{"folder", folder.path.string()},
               {"format", to_string(folder.kind)},
               {"images", folder.images.size()},
               {"left_out", Json::array()},
               {"first_image", describe_image(folder.images.front())}};
  for (const std::filesystem::path& stray : folder.strays)
    json["left_out"].push_back(stray.filename().string());
  return json;
}

// Without what the conversion from radians leaves in the last digits.
double in_degrees(double angle_rad) {
  return std::round(angle_rad * 180 / std::numbers::pi * 1e9) / 1e9;
}

Json describe_scan(const std::filesystem::path& path) {
  const auto scan = open_projections(path);
  const ScanInfo& info = scan->info();
  Json json = {{"scan", scan->name()},
               {"format", info.format},
               {"views", info.views},
               {"rows", info.rows},
               {"columns", info.columns},
               {"flats", info.flats},
               {"darks", info.darks},
               {"first_and_last_angle_degrees",
                {in_degrees(info.angles_rad.front()), in_degrees(info.angles_rad.back())}},
               {"stored_type", to_string(info.scalar)}};
  if (info.pixel_mm) json["pixel_mm"] = *info.pixel_mm;
  json["header"] = info.header;
  return json;
}

}  // namespace

Json describe_file(const std::filesystem::path& path) {
  require_exists(path, "file");
  if (path.extension() == ".safetensors" || RunFolder::is_run(path)) return describe_model(path);
  if (is_scan(path)) return describe_scan(path);
  if (!std::filesystem::is_directory(path)) return describe_image(path);
  const ImageFolder folder = image_folder(path);
  return folder.is_series() ? describe_image(path) : describe_folder(folder);
}

std::string as_text(const Json& json, int indent) {
  const auto one_line = [](const Json& value) {
    if (value.is_null()) return std::string("unknown");
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  std::string text;
  for (const auto& [key, value] : json.items()) {
    if (value.is_object() && !value.empty()) {
      text += fmt::format("{:{}}{}\n{}", "", indent, key, as_text(value, indent + 2));
    } else {
      text += fmt::format("{:{}}{:<36}{}\n", "", indent, key, one_line(value));
    }
  }
  return text;
}

}  // namespace lucivox
