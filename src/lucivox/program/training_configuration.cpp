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

// The whole range of the full-dose slices.
IntensityMapping window_of(PairedSlices& training, Reporter& reporter) {
  IntensityMapping window{.kind = IntensityMapping::Kind::Window,
                          .low = std::numeric_limits<double>::infinity(),
                          .high = -std::numeric_limits<double>::infinity(),
                          .units = training.units()};
  Progress progress(reporter, "looking at the slices", training.count(), "slices");
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
  return kind->build(network);
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
  Json resolved = {
      {"data", data}, {"network", network}, {"intensity", to_json(intensity)}, {"train", fields_json(train)}};
  if (crop_open) resolved["train"].erase("crop");
  if (intensity_open) resolved.erase("intensity");
  return resolved;
}

TrainingConfiguration training_configuration(const Training& training, const Json& json) {
  TrainingConfiguration c;
  ConfigTable table(json, "configuration");
  ConfigTable data(table.table("data"), "data");
  data.read("train", c.train_data);
  data.read("validation", c.validation_data);
  data.finish();
  c.kind = &network_kind(training.network);
  c.network = c.kind->resolve(table.table("network"));
  const Json intensity = table.table("intensity"), train = table.table("train");
  c.intensity = mapping_from_json(intensity);
  c.train = supervised_options_from_json(train, training.defaults());
  c.intensity_open = training.window_of_data && intensity.empty();
  c.crop_open = !train.contains("crop");
  table.finish();
  if (c.train_data.is_null())
    throw Error::misuse("the configuration names no training data",
                        "set data.train to a folder with HQ/ and LQ/");
  return c;
}

void complete(TrainingConfiguration& configuration, PairedSlices& training, Reporter& reporter) {
  if (configuration.crop_open) configuration.train.crop = fitting_crop(training, configuration.train.crop);
  if (configuration.intensity_open) configuration.intensity = window_of(training, reporter);
  configuration.crop_open = configuration.intensity_open = false;
}

Division open_division(const TrainingConfiguration& configuration, Reporter& reporter) {
  std::unique_ptr<PairedSlices> training = open_pairs(configuration.train_data, reporter);
  const Json& wanted = configuration.validation_data;
  if (wanted.is_boolean() && !wanted.get<bool>()) return {std::move(training), nullptr};
  if (!wanted.is_null()) return {std::move(training), open_pairs(wanted, reporter)};
  const int64_t all = training->count();
  Division division = hold_out(std::move(training), configuration.graph().channels(0));
  reporter.note(
      division.validation
          ? fmt::format("{} of {} slices are held out for validation (data.validation = false: none)",
                        division.validation->count(), all)
          : fmt::format("no slices for validation: {} are too few to hold some out", all));
  return division;
}

}  // namespace lucivox
