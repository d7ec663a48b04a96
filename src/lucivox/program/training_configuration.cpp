#include <algorithm>
#include <limits>

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/program/training_configuration.h>
#include <lucivox/program/training_data.h>

namespace lucivox {
namespace {

constexpr int64_t kCropMultiple = 16;  // a discriminator halves three times, and as many the generator

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

std::variant<DdnetOptions, TomoganOptions> network_from(Architecture architecture, ConfigTable& table) {
  if (architecture == Architecture::Ddnet) {
    DdnetOptions ddnet;
    table.read("growth", ddnet.growth);
    std::string statistics = to_string(ddnet.statistics);
    table.read("statistics", statistics);
    ddnet.statistics = norm_statistics(statistics);
    return ddnet;
  }
  TomoganOptions tomogan;
  table.read("depth", tomogan.depth);
  return tomogan;
}

// The whole range of the full-dose slices.
IntensityMapping window_of(PairedSlices& training, const Console& console) {
  IntensityMapping window{.kind = IntensityMapping::Kind::Window,
                          .low = std::numeric_limits<double>::infinity(),
                          .high = -std::numeric_limits<double>::infinity(),
                          .units = training.units()};
  Progress progress(console, "looking at the slices", training.count(), "slices");
  for (int64_t i = 0; i < training.count(); ++i, progress.advance()) {
    const at::Tensor full = training.read(i).full;
    window.low = std::min(window.low, full.min().item<double>());
    window.high = std::max(window.high, full.max().item<double>());
  }
  if (!(window.low < window.high))
    throw Error(fmt::format("all pixels of the full-dose slices are {:g}", window.low),
                "give slices with something in them");
  return window;
}

int64_t fitting_crop(const PairedSlices& training, int64_t wanted) {
  int64_t side = wanted;
  for (int64_t i = 0; i < training.count(); ++i) {
    const auto [rows, columns] = training.shape(i);
    side = std::min({side, rows, columns});
  }
  return std::max(side / kCropMultiple * kCropMultiple, kCropMultiple);
}

}  // namespace

Graph TrainingConfiguration::graph() const {
  return std::visit(Overload{[](const DdnetOptions& options) { return ddnet(options); },
                             [](const TomoganOptions& options) { return tomogan(options); }},
                    network);
}

std::vector<std::filesystem::path> TrainingConfiguration::files() const {
  std::vector<std::filesystem::path> all{train.loss.perceptual.weights};
  for (const Json& where : {train_data, validation_data}) {
    if (!where.is_string() && !where.is_array()) continue;
    for (const std::filesystem::path& file : files_of_pairs(where)) all.push_back(file);
  }
  return all;
}

Json TrainingConfiguration::resolved() const {
  Json data = {{"train", train_data}};
  if (!validation_data.is_null()) data["validation"] = validation_data;
  const Json of_network = std::visit(
      Overload{[](const DdnetOptions& options) {
                 return Json{{"growth", options.growth}, {"statistics", to_string(options.statistics)}};
               },
               [](const TomoganOptions& options) {
                 return Json{{"depth", options.depth}};
               }},
      network);
  Json resolved = {
      {"data", data}, {"network", of_network}, {"intensity", to_json(intensity)}, {"train", to_json(train)}};
  if (crop_open) resolved["train"].erase("crop");
  if (intensity_open) resolved.erase("intensity");
  return resolved;
}

TrainingConfiguration training_configuration(Architecture architecture, const Json& json) {
  TrainingConfiguration c;
  ConfigTable table(json, "configuration");
  ConfigTable data(table.table("data"), "data");
  data.read("train", c.train_data);
  data.read("validation", c.validation_data);
  data.finish();
  ConfigTable network(table.table("network"), "network");
  c.network = network_from(architecture, network);
  network.finish();
  const Json intensity = table.table("intensity"), train = table.table("train");
  const bool tomogan = architecture == Architecture::Tomogan;
  c.intensity = mapping_from_json(intensity);
  c.train = train_options_from_json(train, tomogan ? tomogan_training() : TrainOptions());
  c.intensity_open = tomogan && intensity.empty();
  c.crop_open = !train.contains("crop");
  table.finish();
  if (c.train_data.is_null())
    throw Error::misuse("the configuration names no training data",
                        "set data.train to a folder with HQ/ and LQ/");
  return c;
}

void complete(TrainingConfiguration& configuration, PairedSlices& training, const Console& console) {
  if (configuration.crop_open) configuration.train.crop = fitting_crop(training, configuration.train.crop);
  if (configuration.intensity_open) configuration.intensity = window_of(training, console);
  configuration.crop_open = configuration.intensity_open = false;
}

Division open_division(const TrainingConfiguration& configuration, const Console& console) {
  std::unique_ptr<PairedSlices> training = open_pairs(configuration.train_data, console);
  const Json& wanted = configuration.validation_data;
  if (wanted.is_boolean() && !wanted.get<bool>()) return {std::move(training), nullptr};
  if (!wanted.is_null()) return {std::move(training), open_pairs(wanted, console)};
  const int64_t all = training->count();
  Division division = hold_out(std::move(training), configuration.graph().channels(0));
  console.note(
      division.validation
          ? fmt::format("{} of {} slices are held out for validation (data.validation = false: none)",
                        division.validation->count(), all)
          : fmt::format("no slices for validation: {} are too few to hold some out", all));
  return division;
}

}  // namespace lucivox
