#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

constexpr char kKey[] = "lucivox";  // of the metadata; its value is one JSON text
constexpr int kFormat = 2;  // of that text. 1, which had no number, was the same with fewer operations

void require_known_format(const Json& about) {
  const int format = about.value("format", 1);
  if (format < 1 || format > kFormat)
    throw Error(fmt::format("its format has number {}, this lucivox reads 1 to {}", format, kFormat),
                "the file comes from a newer lucivox: update");
}

// Before any memory is asked for: a damaged graph could ask for more than there is.
void require_as_many_weights(const Graph& graph, const NamedTensors& tensors) {
  const double needed = graph.weight_count();
  double given = 0;
  for (const auto& [name, tensor] : tensors) given += static_cast<double>(tensor.numel());
  if (needed != given) {
    throw Error(fmt::format("its network has {:.0f} weights and the file {:.0f}", needed, given),
                "copy the model file again");
  }
}

std::optional<Shrinking> removed_from(const Json& about, const Graph& graph) {
  if (!about.contains("removed")) return std::nullopt;
  Shrinking removed = shrinking_from_json(about.at("removed"));
  if (to_json(shrunk_graph(removed)) != to_json(graph)) {
    throw Error("what was removed from its network does not lead to the network",
                "the model file is damaged or made by hand");
  }
  return removed;
}

}  // namespace

void save_model(const std::filesystem::path& path, const Model& model) {
  Json about = {{"format", kFormat},
                {"version", version()},
                {"name", model.name},
                {"intensity", to_json(model.intensity)},
                {"border", to_json(model.border)},
                {"training", model.training},
                {"graph", to_json(model.weights.graph())}};
  if (model.removed) about["removed"] = to_json(*model.removed);
  write_safetensors(path, {model.weights.state(), {{"format", "pt"}, {kKey, about.dump()}}});
}

Model load_model(const std::filesystem::path& path) {
  require_exists(path, "model file");
  const TensorFile file = read_safetensors(path);
  const auto about_text = file.metadata.find(kKey);
  if (about_text == file.metadata.end()) {
    throw Error(fmt::format("{} holds weights but no lucivox model", path.string()),
                "for weights of the public DDNet use: lucivox import WEIGHTS.pt MODEL.safetensors");
  }
  try {
    const Json about = Json::parse(about_text->second);
    require_known_format(about);
    const Graph graph = graph_from_json(about.at("graph"));
    require_as_many_weights(graph, file.tensors);
    Model model{
        Weights(graph, 0),    mapping_from_json(about.at("intensity")), about.at("name").get<std::string>(),
        about.at("training"), about.at("version").get<std::string>(),   removed_from(about, graph)};
    if (about.contains("border")) model.border = border_from_json(about.at("border"));
    model.weights.load_state(file.tensors);
    return model;
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("{}: its description is damaged ({})", path.string(), error.what()),
                "copy the model file again");
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path.string(), error.what()), error.hint());
  }
}

}  // namespace lucivox
