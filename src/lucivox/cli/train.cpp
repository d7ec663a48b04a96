#include <map>
#include <optional>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/cli/command.h>
#include <lucivox/cli/configuration.h>
#include <lucivox/cli/training_text.h>
#include <lucivox/program/device.h>
#include <lucivox/program/process_group.h>
#include <lucivox/program/rank_launcher.h>
#include <lucivox/program/sweep.h>

namespace lucivox {
namespace {

struct TrainArguments {
  std::filesystem::path config;
  std::vector<std::string> assignments;
  std::filesystem::path run;
  std::string network;
  std::string name;
  bool resume = false;
  int ranks = 1;
  std::optional<Sweep> sweep;
};

Json configuration_of_run(const TrainArguments& arguments) {
  return arguments.sweep ? sweep_configuration_of(arguments.run) : RunFolder::configuration_of(arguments.run);
}

TrainingJob job_from(const TrainArguments& arguments, const std::string& device) {
  require_run_outside(arguments.run, {arguments.config});
  const Start start = arguments.resume ? Start::Resume : Start::Fresh;
  const bool own = arguments.resume && arguments.config.empty();
  Json configuration = own ? configuration_of_run(arguments) : read_configuration(arguments.config, {});
  for (const std::string& assignment : arguments.assignments) set_value(configuration, assignment);
  return {arguments.network, arguments.name, configuration, arguments.run, start, device, {}};
}

int train_together(Context& context, const RankPlace& place, TrainingJob job) {
  job.ranks = join_ranks(place, device_options(job.device).device());
  context.terminal.quiet |= !job.ranks.leads();
  const TrainingSummary summary = run_training(job, context.terminal, context.stop);
  job.ranks.gather({});  // Slurm ends all tasks when one exits, and the first still writes the report
  if (job.ranks.leads()) return print_training(context, job.run, summary);
  return summary.result.finished ? 0 : kStopped;
}

int train(Context& context, const TrainArguments& arguments) {
  const std::optional<RankPlace> place = rank_place();
  if (arguments.sweep && (place || arguments.ranks > 1))
    throw Error::misuse("a sweep runs in one process", "leave out --ranks, or train its runs one by one");
  if (arguments.ranks > 1 && !place) return run_as_ranks(arguments.ranks, context.stop);
  const TrainingJob job =
      job_from(arguments, place ? device_of_rank(context.device, place->local) : context.device);
  if (place) return train_together(context, *place, job);
  if (arguments.sweep)
    return print_sweep(context, job.run, run_sweep(*arguments.sweep, job, context.terminal, context.stop));
  return print_training(context, job.run, run_training(job, context.terminal, context.stop));
}

void add_network(CLI::App& train_app, Context& context, const Training& training) {
  auto arguments = std::make_shared<TrainArguments>();
  arguments->network = arguments->name = training.network;
  CLI::App* command =
      add_command(train_app, context, training.network, training.what, Flags{.json = true, .device = true},
                  [&context, arguments] { return train(context, *arguments); });
  command->add_option("--config", arguments->config, "TOML file, see examples/");
  command->add_option("--set", arguments->assignments,
                      "a value on top of it: train.epochs=3, data.train=FOLDER");
  command->add_option("--run", arguments->run, "folder for checkpoints, metrics, model and report")
      ->required();
  command->add_option("--name", arguments->name, "name of the model")->capture_default_str();
  command->add_option("--ranks", arguments->ranks, "processes that train together on this machine")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--resume", arguments->resume, "go on where the run in this folder stopped");
  if (!training.sweeps) return;
  command
      ->add_option("--sweep", arguments->sweep,
                   "many runs, compared: hybrid (dense and sparse epochs), sparsity")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Sweep>{{"hybrid", Sweep::Hybrid}, {"sparsity", Sweep::Sparsity}}));
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  CLI::App* train = app.add_subcommand("train", "train a network");
  train->require_subcommand(1);
  for (const Training& training : trainings()) add_network(*train, context, training);
}

}  // namespace lucivox
