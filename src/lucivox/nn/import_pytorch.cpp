#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/model.h>
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

}  // namespace

Model import_pytorch(const std::filesystem::path& path) {
  const NamedTensors tensors = with_plain_names(read_pytorch_tensors(path));
  const auto stem = std::find_if(tensors.begin(), tensors.end(),
                                 [](const auto& entry) { return entry.first == "conv1.weight"; });
  if (stem == tensors.end() || stem->second.dim() != 4) {
    throw Error(fmt::format("{} holds no DDNet: it has no conv1.weight", path.string()),
                "import takes state dicts of the public DDNet reference");
  }
  Model model{Network(ddnet({.growth = stem->second.size(0)}), 0),
              {IntensityMapping::Kind::SliceMinMax},
              "ddnet-imported",
              {{"imported_from", path.filename().string()}},
              version()};
  model.network.load_state(tensors);
  return model;
}

}  // namespace lucivox
