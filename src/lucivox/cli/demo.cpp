#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/cli/training_text.h>
#include <lucivox/program/demo.h>

namespace lucivox {

void add_demo(CLI::App& app, Context& context) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* command = add_command(
      app, context, "demo", "simulate chest CT, train DDNet, prune it, enhance unseen slices: minutes",
      Flags{.json = true, .device = true}, [&context, options] {
        options->device = context.device;
        return print_training(context, options->run, demo(*options, context.terminal, context.stop));
      });
  command->add_option("--run", options->run, "folder for data, model, pictures and report")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of anatomy, noise and training")->capture_default_str();
}

}  // namespace lucivox
