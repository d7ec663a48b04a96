#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/import.h>

namespace lucivox {

void add_import(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path weights, out;
    ImportOptions unsaid;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      app, context, "import", "weights of the public DDNet, TomoGAN or MS-D codes as a lucivox model",
      Flags{}, [&context, options] {
        require_apart(options->out, {options->weights});
        save_model(options->out, import_weights(options->weights, options->unsaid));
        print(context, {}, "imported " + options->out.string());
        return 0;
      });
  command
      ->add_option("WEIGHTS", options->weights,
                   "what torch.save(model.state_dict(), ...) wrote; or Keras, of TomoGAN, or msdnet (.h5)")
      ->required();
  command->add_option("OUT", options->out, "model.safetensors to write")->required();
  command
      ->add_option("--dilations", options->unsaid.dilations,
                   "of the layers of a network of msd_pytorch, whose files do not tell them: 1,2,4,8")
      ->delimiter(',')
      ->capture_default_str();
}

}  // namespace lucivox
