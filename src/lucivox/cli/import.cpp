#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/nn/model.h>

namespace lucivox {

void add_import(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path weights, out;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, context, "import", "a PyTorch state dict of the public DDNet as a lucivox model",
                  Flags{}, [&context, options] {
                    save_model(options->out, import_pytorch(options->weights));
                    print(context, {}, "imported " + options->out.string());
                    return 0;
                  });
  command->add_option("WEIGHTS", options->weights, "file that torch.save(model.state_dict(), ...) wrote")
      ->required();
  command->add_option("OUT", options->out, "model.safetensors to write")->required();
}

}  // namespace lucivox
