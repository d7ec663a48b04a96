#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/cli/command.h>
#include <lucivox/program/pruning.h>

namespace lucivox {
namespace {

struct PruneArguments {
  std::filesystem::path model, out;
  PruneJob job;
  bool expand = false;
};

std::string text_of(const PruneResult& result) {
  std::string text =
      fmt::format("{:<20}{:<20}{:>10}{:>10}{:>11}\n", "layer", "shape", "kept", "of", "norm lost");
  int64_t kept = 0, total = 0;
  for (const LayerSparsity& layer : result.layers) {
    text += fmt::format("{:<20}{:<20}{:>10}{:>10}{:>9.1f} %\n", layer.name,
                        fmt::format("{}", fmt::join(layer.shape, "x")), layer.kept, layer.total,
                        100 * layer.norm_lost);
    kept += layer.kept;
    total += layer.total;
  }
  const auto size = [](const NetworkSize& s) {
    return fmt::format("{} parameters, {:.1f} GFLOP for 512x512", s.parameters, s.gflop);
  };
  return text + fmt::format("{:<40}{:>10}{:>10}\n\nbefore  {}\nafter   {}", "all", kept, total,
                            size(result.before), size(result.after));
}

int prune(const PruneArguments& options, const Context& context) {
  if (options.expand) {
    expand_model(options.model, options.out);
    print(context, {{"model", options.out.string()}}, "expanded " + options.out.string());
    return 0;
  }
  const PruneResult result = prune_model(options.model, options.out, options.job);
  print(context, to_json(result), text_of(result));
  return 0;
}

}  // namespace

void add_prune(CLI::App& app, Context& context) {
  auto options = std::make_shared<PruneArguments>();
  CLI::App* command =
      add_command(app, context, "prune", "a sparse or smaller network from a trained one",
                  Flags{.json = true}, [&context, options] { return prune(*options, context); });
  PruneJob& job = options->job;
  command->add_option("MODEL", options->model, "model.safetensors of a training")->required();
  command->add_option("OUT", options->out, "model.safetensors to write")->required();
  CLI::Option* criterion = command
                               ->add_option("--criterion", job.pruning.criterion,
                                            fmt::format("what goes: {}", fmt::join(pruning_criteria(), ", ")))
                               ->capture_default_str();
  command->add_option("--amount", job.pruning.amount, "share of every layer but the last that goes")
      ->capture_default_str();
  command->add_option("--targets", job.pruning.targets, "convolution, deconvolution or both")
      ->capture_default_str();
  command->add_option("--seed", job.seed, "of the criterion random")->capture_default_str();
  CLI::Option* shrink = command->add_flag("--shrink", job.shrink,
                                          "remove channels that are zero: smaller and faster, same output");
  command->add_flag("--expand", options->expand, "back from a shrunk model to one with zeros in their places")
      ->excludes(criterion)
      ->excludes(shrink);
}

}  // namespace lucivox
