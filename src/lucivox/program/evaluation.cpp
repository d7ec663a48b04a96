#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/image/formats/folder.h>
#include <lucivox/image/formats/open.h>
#include <lucivox/program/evaluation.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

std::vector<std::pair<fs::path, fs::path>> images_of(const fs::path& a, const fs::path& b,
                                                     const Console& console) {
  require_exists(a, "image");
  require_exists(b, "image");
  const bool folders = fs::is_directory(a) && fs::is_directory(b);
  if (folders && !(image_folder(a).is_series() && image_folder(b).is_series()))
    return pairs_by_name(a, b, console);
  note_strays(a, console);
  note_strays(b, console);
  return {{a, b}};
}

int64_t slices_in(const std::vector<std::pair<fs::path, fs::path>>& images) {
  int64_t slices = 0;
  for (const auto& [path, truth] : images) slices += open(path)->info().shape[0];
  return slices;
}

// Slice z as float32 [Y, X]; where the truth was not scanned, both are made equal.
std::pair<at::Tensor, at::Tensor> slices_at(ImageSource& a, ImageSource& b, int64_t z) {
  const auto read = [z](ImageSource& source) {
    const at::Tensor values = source.read(slice(source.info(), z)).squeeze(0);
    require_finite(values, source.name());
    return values;
  };
  const at::Tensor image = read(a), truth = read(b);
  const std::optional<double> padding = b.info().padding;
  if (!padding) return {image, truth};
  return {torch::where(truth == *padding, truth, image), truth};
}

}  // namespace

Json to_json(const Evaluation& evaluation) {
  Json slices = Json::array();
  for (const SliceQuality& slice : evaluation.slices) {
    Json line = {{"name", slice.name}};
    line.update(to_json(slice.quality));
    slices.push_back(line);
  }
  return {{"window", {evaluation.window.low, evaluation.window.high}},
          {"mean", to_json(evaluation.mean)},
          {"slices", slices}};
}

Evaluation evaluate(const fs::path& a, const fs::path& b, const QualityWindow& window, const Console& console,
                    const StopToken& stop) {
  Evaluation evaluation{window, {}, {}};
  std::vector<Quality> all;
  const auto images = images_of(a, b, console);
  Progress progress(console, "comparing", slices_in(images), "slices");
  for (const auto& [path_a, path_b] : images) {
    const auto image = open(path_a), truth = open(path_b);
    if (image->info().shape != truth->info().shape) {
      throw Error(
          fmt::format("{} has {} pixels and {} has {}", path_a.string(), fmt::join(image->info().shape, "x"),
                      path_b.string(), fmt::join(truth->info().shape, "x")),
          "only images of one size can be compared");
    }
    const int64_t slices = image->info().shape[0];
    for (int64_t z = 0; z < slices; ++z) {
      if (stop.stop_requested()) throw Error("stopped before the end", "start it again");
      const auto [mine, theirs] = slices_at(*image, *truth, z);
      all.push_back(quality(mine, theirs, window));
      const std::string name = path_a.filename().string();
      evaluation.slices.push_back({slices == 1 ? name : fmt::format("{} slice {}", name, z), all.back()});
      progress.advance(fmt::format("PSNR {:.2f} dB", all.back().psnr));
    }
  }
  evaluation.mean = mean(all);
  return evaluation;
}

}  // namespace lucivox
