#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/description.h>
#include <lucivox/program/pruning.h>
#include <lucivox/sparse/shrink.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

NetworkSize size_of(const Graph& graph) {
  return {graph.parameter_count(), graph.flops(kTypicalSide, kTypicalSide) / 1e9};
}

Json to_json(const NetworkSize& size) {
  return {{"parameters", size.parameters}, {"gflop_512x512", size.gflop}};
}

Model load_dense(const fs::path& path) {
  Model model = load_model(path);
  if (model.removed) {
    throw Error::misuse(path.string() + " is shrunk already",
                        "expand it first: lucivox prune MODEL OUT --expand");
  }
  return model;
}

void note_pruning(Json& training, const PruneJob& job) {
  if (!training.is_object()) training = Json::object();
  training["pruned"] = true;
  training["pruning"] = {{"criterion", job.pruning.criterion},
                         {"amount", job.pruning.amount},
                         {"targets", job.pruning.targets},
                         {"seed", job.seed}};
}

}  // namespace

Json to_json(const PruneResult& result) {
  Json layers = Json::array();
  for (const LayerSparsity& layer : result.layers) {
    layers.push_back({{"name", layer.name},
                      {"shape", layer.shape},
                      {"kept", layer.kept},
                      {"total", layer.total},
                      {"norm_lost", layer.norm_lost}});
  }
  return {{"layers", layers}, {"before", to_json(result.before)}, {"after", to_json(result.after)}};
}

PruneResult prune_model(const fs::path& in, const fs::path& out, const PruneJob& job) {
  require_apart(out, {in});
  check(job.pruning);
  if (job.pruning.criterion == "none" && !job.shrink) {
    throw Error::misuse(
        "nothing to do: no criterion, and not to be shrunk",
        "give --criterion, such as filters-l1, or --shrink for a model that is sparse already");
  }
  Model model = load_dense(in);
  const Masks masks = pruning_masks(model.weights, job.pruning, job.seed);
  PruneResult result{layer_sparsity(model.weights, masks), size_of(model.weights.graph()), {}};
  apply_masks(masks, model.weights);
  if (!masks.empty()) note_pruning(model.training, job);
  if (job.shrink) model = shrink(std::move(model));
  result.after = size_of(model.weights.graph());
  save_model(out, model);
  return result;
}

void expand_model(const fs::path& in, const fs::path& out) {
  require_apart(out, {in});
  save_model(out, expand(load_model(in)));
}

}  // namespace lucivox
