#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/import.h>

namespace lucivox {

void add_import(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path weights, out;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, context, "import", "weights of the public DDNet or TomoGAN as a lucivox model",
                  Flags{}, [&context, options] {
                    require_apart(options->out, {options->weights});
                    save_model(options->out, import_weights(options->weights));
                    print(context, {}, "imported " + options->out.string());
                    return 0;
                  });
  command
      ->add_option("WEIGHTS", options->weights,
                   "what torch.save(model.state_dict(), ...) or, for TomoGAN, Keras wrote (.h5)")
      ->required();
  command->add_option("OUT", options->out, "model.safetensors to write")->required();
}

}  // namespace lucivox
