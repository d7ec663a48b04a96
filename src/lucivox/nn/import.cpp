#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/import.h>
#include <lucivox/nn/import_msdnet.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/pytorch_file.h>

namespace lucivox {
namespace {

// "module.conv1.weight", as DataParallel saves it, is conv1.weight; PyTorch's count of batches is not used.
NamedTensors with_plain_names(const NamedTensors& tensors) {
  NamedTensors plain;
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with(".num_batches_tracked")) continue;
    plain.emplace_back(name.starts_with("module.") ? name.substr(7) : name, tensor.to(at::kFloat));
  }
  return plain;
}

Model imported(const Graph& graph, const IntensityMapping& intensity, const std::string& from) {
  return {
      Weights(graph, 0), intensity, graph.architecture() + "-imported", {{"imported_from", from}}, version()};
}

}  // namespace

Model import_pytorch(const std::filesystem::path& path, const ImportOptions& options) {
  const NamedTensors tensors = with_plain_names(read_pytorch_tensors(path));
  const std::string from = path.filename().string();
  if (is_msd_pytorch(tensors)) return import_msd_pytorch(tensors, options.dilations, from);
  const auto stem = std::find_if(tensors.begin(), tensors.end(),
                                 [](const auto& entry) { return entry.first == "conv1.weight"; });
  const bool normalised = std::any_of(tensors.begin(), tensors.end(), [](const auto& entry) {
    return entry.first.ends_with(".running_mean");
  });
  if (!normalised) return import_tomogan(tensors, from);
  if (stem == tensors.end() || stem->second.dim() != 4) {
    throw Error(
        fmt::format("{} holds no DDNet: it has no conv1.weight", path.string()),
        "import takes state dicts of the public DDNet reference, of TomoGAN's generator and of msd_pytorch");
  }
  Model model =
      imported(ddnet({.growth = stem->second.size(0)}), {IntensityMapping::Kind::SliceMinMax}, from);
  model.weights.load_state(tensors);
  return model;
}

Model import_tomogan(const NamedTensors& layers, const std::string& from) {
  const std::string hint =
      "import takes the weights of TomoGAN's generator with bilinear up-sampling and three levels";
  if (layers.empty() || layers[0].second.dim() != 4)
    throw Error(fmt::format("{} holds no TomoGAN: its first weights are no convolution's", from), hint);
  const IntensityMapping as_they_are{
      .kind = IntensityMapping::Kind::Window, .low = 0, .high = 1, .units = Units::Unknown};
  Model model = imported(tomogan({.depth = layers[0].second.size(1)}), as_they_are, from);
  const NamedTensors& mine = model.weights.state();
  if (layers.size() != mine.size())
    throw Error(fmt::format("{} holds no TomoGAN: {} arrays of weights instead of {}", from, layers.size(),
                            mine.size()),
                hint);
  NamedTensors renamed;
  for (size_t i = 0; i < mine.size(); ++i) {
    if (layers[i].second.sizes() != mine[i].second.sizes())
      throw Error(
          fmt::format("{} holds no TomoGAN: {} is [{}], not [{}]", from, layers[i].first,
                      fmt::join(layers[i].second.sizes(), ", "), fmt::join(mine[i].second.sizes(), ", ")),
          hint);
    renamed.emplace_back(mine[i].first, layers[i].second);
  }
  model.weights.load_state(renamed);
  return model;
}

}  // namespace lucivox
