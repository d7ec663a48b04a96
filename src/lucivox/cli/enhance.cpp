#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/program/device.h>
#include <lucivox/program/enhancement.h>
#include <lucivox/program/model_file.h>

namespace lucivox {

void add_enhance(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path model, in;
    Output out;
    std::string border;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      app, context, "enhance", "an image or series through a trained model", Flags{.device = true},
      [&context, options] {
        const std::filesystem::path file = model_file(options->model, context.terminal);
        require_apart(options->out.path, {file});
        Model model = load_model(file);
        const Border other =
            options->border.empty() ? model.border : border_from_json({{"rule", options->border}});
        if (other.rule != model.border.rule) model.border = other;  // else its own margin
        model.weights.to(device_options(context.device));
        enhance_files(model, options->in, options->out, context.terminal, context.stop);
        print(context, {}, "enhanced " + options->out.path.string());
        return 0;
      });
  command->add_option("MODEL", options->model, "model.safetensors of a training, or the folder of a run")
      ->required();
  command
      ->add_option("IN", options->in,
                   "DICOM series (folder) or slice, NIfTI, NRRD, MetaImage, TIFF, HDF5, PNG, or a folder of "
                   "such files")
      ->required();
  command->add_option("OUT", options->out.path, "the same kind; metadata are kept")->required();
  add_overwrite(*command, options->out);
  command
      ->add_option("--border", options->border,
                   "what the network reads beyond the edge of a slice, instead of what it was trained with: "
                   "reflect (a mirrored margin) or zeros")
      ->check(CLI::IsMember({"reflect", "zeros"}));
}

}  // namespace lucivox
