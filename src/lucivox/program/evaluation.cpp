#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/folder.h>
#include <lucivox/formats/open.h>
#include <lucivox/program/evaluation.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// Images and their truths.
using Images = std::vector<std::pair<fs::path, fs::path>>;

Error stopped() {
  return Error("stopped before the end", "start it again");
}

Images images_of(const fs::path& a, const fs::path& b, Reporter& reporter) {
  require_exists(a, "image");
  require_exists(b, "image");
  const bool folders = fs::is_directory(a) && fs::is_directory(b);
  if (folders && !(image_folder(a).is_series() && image_folder(b).is_series()))
    return pairs_by_name(a, b, reporter);
  note_strays(a, reporter);
  note_strays(b, reporter);
  return {{a, b}};
}

int64_t slices_in(const Images& images) {
  int64_t slices = 0;
  for (const auto& [path, truth] : images) slices += open(path)->info().shape[0];
  return slices;
}

// The units of all images that store them.
Units common_units(const Images& images) {
  Units units = Units::Unknown;
  fs::path first;
  for (const auto& [a, b] : images) {
    for (const fs::path& path : {a, b}) {
      const Units own = open(path)->info().units;
      if (own == Units::Unknown || own == units) continue;
      if (units != Units::Unknown)
        throw Error(fmt::format("{} holds values in {}, {} in {}", first.string(), to_string(units),
                                path.string(), to_string(own)),
                    "only images of the same units can be compared: convert one of them first");
      units = own;
      first = path;
    }
  }
  return units;
}

at::Tensor slice_at(ImageSource& source, int64_t z) {
  const at::Tensor values = source.read(slice(source.info(), z)).squeeze(0);
  require_finite(values, source.name());
  return values;
}

void require_same_shape(const ImageSource& image, const ImageSource& truth) {
  if (image.info().shape == truth.info().shape) return;
  throw Error(fmt::format("{} has {} pixels and {} has {}", image.name(), fmt::join(image.info().shape, "x"),
                          truth.name(), fmt::join(truth.info().shape, "x")),
              "only images of one size can be compared");
}

// Slice z as float32 [Y, X]; where the truth was not scanned, both are made equal.
std::pair<at::Tensor, at::Tensor> slices_at(ImageSource& a, ImageSource& b, int64_t z) {
  const at::Tensor image = slice_at(a, z), truth = slice_at(b, z);
  const std::optional<double> padding = b.info().padding;
  if (!padding) return {image, truth};
  return {at::where(truth == *padding, truth, image), truth};
}

// From the least to the greatest value of all truths, padding aside.
QualityWindow range_of_truths(const Images& images, const StopToken& stop) {
  QualityWindow range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto& [a, b] : images) {
    const auto truth = open(b);
    for (int64_t z = 0; z < truth->info().shape[0]; ++z) {
      if (stop.stop_requested()) throw stopped();
      at::Tensor values = slice_at(*truth, z);
      if (truth->info().padding) values = values.masked_select(values != *truth->info().padding);
      if (values.numel() == 0) continue;
      range.low = std::min(range.low, values.min().item<double>());
      range.high = std::max(range.high, values.max().item<double>());
    }
  }
  return range;
}

void choose_window(Evaluation& evaluation, const std::optional<QualityWindow>& given, const Images& images,
                   const fs::path& b, const StopToken& stop) {
  if (given) {
    evaluation.window = *given;
    evaluation.window_reason = "as given by --window";
  } else if (evaluation.units == Units::HU) {
    evaluation.window = QualityWindow{};
    evaluation.window_reason = "the usual range of HU";
  } else {
    evaluation.window = range_of_truths(images, stop);
    evaluation.window_reason = "the range of the reference";
    if (!(evaluation.window.low < evaluation.window.high))
      throw Error(b.string() + " has the same value everywhere, so that its range cannot serve as the window",
                  "give the window with --window LOW,HIGH");
  }
}

}  // namespace

Json to_json(const Evaluation& evaluation) {
  Json slices = Json::array();
  for (const SliceQuality& slice : evaluation.slices) {
    Json line = {{"name", slice.name}};
    line.update(fields_json(slice.quality));
    slices.push_back(line);
  }
  return {{"units", to_string(evaluation.units)},
          {"window", {evaluation.window.low, evaluation.window.high}},
          {"window_reason", evaluation.window_reason},
          {"mean", fields_json(evaluation.mean)},
          {"slices", slices}};
}

Evaluation evaluate(const fs::path& a, const fs::path& b, const std::optional<QualityWindow>& window,
                    Reporter& reporter, const StopToken& stop) {
  const Images images = images_of(a, b, reporter);
  Evaluation evaluation;
  evaluation.units = common_units(images);
  choose_window(evaluation, window, images, b, stop);
  std::vector<Quality> all;
  Progress progress(reporter, "comparing", slices_in(images), "slices");
  for (const auto& [path_a, path_b] : images) {
    const auto image = open(path_a), truth = open(path_b);
    require_same_shape(*image, *truth);
    const int64_t slices = image->info().shape[0];
    for (int64_t z = 0; z < slices; ++z) {
      if (stop.stop_requested()) throw stopped();
      const auto [mine, theirs] = slices_at(*image, *truth, z);
      all.push_back(quality(mine, theirs, evaluation.window));
      const std::string name = path_a.filename().string();
      evaluation.slices.push_back({slices == 1 ? name : fmt::format("{} slice {}", name, z), all.back()});
      progress.advance(fmt::format("PSNR {:.2f} dB", all.back().psnr));
    }
  }
  evaluation.mean = mean(all);
  return evaluation;
}

}  // namespace lucivox
