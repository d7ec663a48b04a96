#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/checkpoint.h>

namespace lucivox {
namespace {

constexpr char kKey[] = "lucivox_checkpoint";
constexpr char kMaskPrefix[] = "mask.", kWeightPrefix[] = "weight.", kAdamPrefix[] = "adam.";

// The options that the course of training depends on.
Json decisive(const TrainOptions& options) {
  Json json = to_json(options);
  json.erase("epochs");
  json.erase("checkpoint_minutes");
  return json;
}

void require_same_options(const Json& before, const Json& now, const std::string& path) {
  for (const auto& [key, value] : now.items()) {
    const Json old = before.value(key, Json());
    if (old != value) {
      throw Error::misuse(
          fmt::format("{} was trained with {} = {}, not {}", path, key, old.dump(), value.dump()),
          "resume with the run's own configuration (only epochs may change), or start a new run");
    }
  }
}

void put(NamedTensors& all, const std::string& prefix, const NamedTensors& some) {
  for (const auto& [name, tensor] : some) all.emplace_back(prefix + name, tensor);
}

NamedTensors take(const NamedTensors& all, const std::string& prefix) {
  NamedTensors some;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) some.emplace_back(name.substr(prefix.size()), tensor);
  }
  return some;
}

Json to_json(const Position& p) {
  return {{"epoch", p.epoch}, {"step", p.step}, {"loss_sum", p.loss_sum}, {"seconds", p.seconds}};
}

Position position_from(const Json& json) {
  const Position p{json.at("epoch").get<int64_t>(), json.at("step").get<int64_t>(),
                   json.at("loss_sum").get<double>(), json.at("seconds").get<double>()};
  if (p.epoch < 0 || p.step < 0) throw Error("it stands before the first step", "the checkpoint is damaged");
  return p;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint, const Network& network,
                     const Adam& adam, const TrainOptions& options, const std::string& data) {
  const Json about = {{"version", version()},
                      {"architecture", network.graph().architecture()},
                      {"position", to_json(checkpoint.position)},
                      {"options", decisive(options)},
                      {"data", data}};
  TensorFile file{{}, {{kKey, about.dump()}}};
  put(file.tensors, kWeightPrefix, network.state());
  put(file.tensors, kAdamPrefix, adam.state());
  put(file.tensors, kMaskPrefix, checkpoint.masks);
  write_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path, Network& network, Adam& adam,
                           const TrainOptions& options, const std::string& data) {
  const TensorFile file = read_safetensors(path);
  const auto about_text = file.metadata.find(kKey);
  if (about_text == file.metadata.end()) {
    throw Error(path.string() + " is no checkpoint of lucivox", "a run keeps its own under checkpoints/");
  }
  try {
    const Json about = Json::parse(about_text->second);
    require_same_options(about.at("options"), decisive(options), path.string());
    if (about.at("data") != data) {
      throw Error::misuse(
          "the training data are not those that this run began with",
          fmt::format("it had {}; now there are {}", about.at("data").get<std::string>(), data));
    }
    network.load_state(take(file.tensors, kWeightPrefix));
    adam.load_state(take(file.tensors, kAdamPrefix));
    Checkpoint checkpoint{position_from(about.at("position")), take(file.tensors, kMaskPrefix)};
    require_masks_fit(checkpoint.masks, network);
    return checkpoint;
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("{}: its description is damaged ({})", path.string(), error.what()),
                "start the run anew, or from a copy of the checkpoint");
  }
}

}  // namespace lucivox
