#include <lucivox/nn/model.h>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

constexpr char kKey[] = "lucivox";  // of the metadata; its value is one JSON text

}  // namespace

void save_model(const std::filesystem::path& path, const Model& model) {
  const Json about = {{"version", version()},
                      {"name", model.name},
                      {"intensity", to_json(model.intensity)},
                      {"training", model.training},
                      {"graph", to_json(model.network.graph())}};
  write_safetensors(path, {model.network.state(), {{"format", "pt"}, {kKey, about.dump()}}});
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
    Model model{Network(graph_from_json(about.at("graph")), 0), mapping_from_json(about.at("intensity")),
                about.at("name").get<std::string>(), about.at("training"), about.at("version").get<std::string>()};
    model.network.load_state(file.tensors);
    return model;
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("{}: its description is damaged ({})", path.string(), error.what()), "copy the model file again");
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path.string(), error.what()), error.hint());
  }
}

}  // namespace lucivox
