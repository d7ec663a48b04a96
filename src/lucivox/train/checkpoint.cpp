#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/checkpoint.h>

namespace lucivox {
namespace {

constexpr char kKey[] = "lucivox_checkpoint";
constexpr char kMaskPrefix[] = "mask.", kWeightPrefix[] = "weight.", kAdamPrefix[] = "adam.",
               kScalePrefix[] = "scale.", kOpponentPrefix[] = "opponent.";

void require_same_options(const Json& before, const Json& now, const std::string& path,
                          const std::string& of = {}) {
  for (const auto& [key, value] : now.items()) {
    const Json old = before.value(key, Json());
    if (old.is_null())
      throw Error(fmt::format("{} was begun by an older lucivox, which had no {}{}", path, of, key),
                  "go on with that one, or start a new run");
    if (old.is_object() && value.is_object()) {
      require_same_options(old, value, path, of + key + ".");
    } else if (old != value) {
      throw Error::misuse(
          fmt::format("{} was trained with {}{} = {}, not {}", path, of, key, old.dump(), value.dump()),
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

void put_scale(NamedTensors& all, const std::string& prefix, const Learner& learner) {
  if (const auto& scale = learner.step.scale()) put(all, prefix + kScalePrefix, scale->state());
}

// Runs `body`, whose errors do not say which file they are about.
template <typename Body>
auto of_file(const std::string& path, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path, error.what()), error.hint());
  }
}

void load(const NamedTensors& all, const std::string& prefix, Learner& learner) {
  learner.network.weights().load_state(take(all, prefix + kWeightPrefix));
  learner.adam.load_state(take(all, prefix + kAdamPrefix));
  if (auto& scale = learner.step.scale()) scale->load_state(take(all, prefix + kScalePrefix));
}

Json to_json(const Position& p) {
  return {{"epoch", p.epoch},
          {"step", p.step},
          {"loss_sum", p.loss_sum},
          {"opponent_loss_sum", p.opponent_loss_sum},
          {"seconds", p.seconds}};
}

Position position_from(const Json& json) {
  const Position p{json.at("epoch").get<int64_t>(), json.at("step").get<int64_t>(),
                   json.at("loss_sum").get<double>(), json.value("opponent_loss_sum", 0.0),
                   json.at("seconds").get<double>()};
  if (p.epoch < 0 || p.step < 0) throw Error("it stands before the first step", "the checkpoint is damaged");
  return p;
}

Json to_json(const std::optional<Switch>& s) {
  return s ? Json{{"epoch", s->epoch}, {"reason", s->reason}} : Json();
}

std::optional<Switch> switch_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return Switch{json.at("epoch").get<int64_t>(), json.at("reason").get<std::string>()};
}

Json to_json(const std::optional<Best>& best) {
  if (!best) return Json();
  Json json = fields_json(best->validation.quality);
  json["epoch"] = best->epoch;
  json["loss"] = best->validation.loss;
  json["units"] = static_cast<int>(best->validation.units);
  return json;
}

std::optional<Best> best_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  Best best{json.at("epoch").get<int64_t>(), {0, {}, static_cast<Units>(json.at("units").get<int>())}};
  FieldReader reader(json, "best");
  Quality::fields(best.validation.quality, reader);
  reader("loss", best.validation.loss);
  return best;
}

std::optional<Shrinking> removed_from(const Json& json, const Graph& whole) {
  if (json.is_null()) return std::nullopt;
  Shrinking removed = shrinking_from_json(json);
  if (to_json(removed.dense) != to_json(whole))
    throw Error("it was shrunk from another network", "the checkpoint is damaged");
  return removed;
}

// What a checkpoint says about its tensors.
Json description(const TensorFile& file, const std::string& path) {
  const auto text = file.metadata.find(kKey);
  if (text == file.metadata.end())
    throw Error(path + " is no checkpoint of lucivox", "a run keeps its own under checkpoints/");
  return Json::parse(text->second);
}

Error damaged(const std::string& path, const nlohmann::json::exception& error) {
  return Error(fmt::format("{}: its description is damaged ({})", path, error.what()),
               "start the run anew, or from a copy of the checkpoint");
}

void require_dense(const Json& about, const SparsityOptions& schedule, const std::string& path) {
  const auto losses = about.at("losses").get<std::vector<double>>();
  const bool at_epoch_end = about.at("position").at("step") == 0;
  if (!at_epoch_end || !about.at("switched").is_null())
    throw Error::misuse(path + " is not of a dense network at the end of an epoch",
                        "branch off from checkpoints/dense.safetensors of a run");
  for (auto end = losses.begin(); end != losses.end(); ++end) {
    if (const auto before = switch_after({losses.begin(), end}, schedule))
      throw Error::misuse(fmt::format("{} has {} dense epochs, too many for a run that prunes after {}", path,
                                      losses.size(), before->epoch),
                          "branch off from an earlier epoch, or start a new run");
  }
}

}  // namespace

Course course_of(const TrainOptions& options, const TrainingTask& task) {
  Json all = fields_json(options, Fields::Decisive);
  all.update(task.options());
  return {all, task.data()};
}

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint, const Learner& learner,
                     const Learner* opponent, const Course& course) {
  const Json about = {{"version", version()},
                      {"architecture", learner.network.graph().architecture()},
                      {"position", to_json(checkpoint.position)},
                      {"losses", checkpoint.losses},
                      {"switched", to_json(checkpoint.switched)},
                      {"removed", checkpoint.removed ? to_json(*checkpoint.removed) : Json()},
                      {"best", to_json(checkpoint.best)},
                      {"options", course.options},
                      {"data", course.data}};
  TensorFile file{{}, {{kKey, about.dump()}}};
  const auto& removed = checkpoint.removed;
  const NamedTensors weights = learner.network.weights().state(), moments = learner.adam.state();
  put(file.tensors, kWeightPrefix, removed ? expand(*removed, weights) : weights);
  put(file.tensors, kAdamPrefix, removed ? expand_optimiser(*removed, moments) : moments);
  put(file.tensors, kMaskPrefix, checkpoint.masks);
  put_scale(file.tensors, "", learner);
  if (opponent != nullptr) {
    put(file.tensors, std::string(kOpponentPrefix) + kWeightPrefix, opponent->network.weights().state());
    put(file.tensors, std::string(kOpponentPrefix) + kAdamPrefix, opponent->adam.state());
    put_scale(file.tensors, kOpponentPrefix, *opponent);
  }
  write_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path, Learner& learner, Learner* opponent,
                           const Course& course) {
  const TensorFile file = read_safetensors(path);
  try {
    const Json about = description(file, path.string());
    require_same_options(about.at("options"), course.options, path.string());
    if (about.at("data") != course.data) {
      throw Error::misuse(
          "the training data are not those that this run began with",
          fmt::format("it had {}; now there are {}", about.at("data").get<std::string>(), course.data));
    }
    return of_file(path.string(), [&] {
      Checkpoint checkpoint{position_from(about.at("position")),
                            about.at("losses").get<std::vector<double>>(),
                            switch_from(about.at("switched")),
                            take(file.tensors, kMaskPrefix),
                            removed_from(about.at("removed"), learner.network.graph()),
                            best_from(about.value("best", Json()))};
      const Weights& weights = learner.network.weights();
      require_masks_fit(checkpoint.masks, weights);
      for (auto& [name, mask] : checkpoint.masks) mask = mask.to(weights.device());
      load(file.tensors, "", learner);
      if (opponent != nullptr) load(file.tensors, kOpponentPrefix, *opponent);
      return checkpoint;
    });
  } catch (const nlohmann::json::exception& error) {
    throw damaged(path.string(), error);
  }
}

void branch_checkpoint(const std::filesystem::path& from, const std::filesystem::path& to,
                       const SparsityOptions& schedule, const Json& options) {
  TensorFile file = read_safetensors(from);
  try {
    Json about = description(file, from.string());
    require_dense(about, schedule, from.string());
    Json before = about.at("options"), now = options;
    before.erase("sparsity");
    about["options"] = now;
    about["best"] = Json();  // those weights stay with their own run
    now.erase("sparsity");
    require_same_options(before, now, from.string());
    file.metadata[kKey] = about.dump();
  } catch (const nlohmann::json::exception& error) {
    throw damaged(from.string(), error);
  }
  write_safetensors(to, file);
}

}  // namespace lucivox
