#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/program/device.h>
#include <lucivox/program/enhancement.h>

namespace lucivox {

void add_enhance(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path model, in;
    Output out;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, context, "enhance", "an image or series through a trained model",
                  Flags{.device = true}, [&context, options] {
                    require_apart(options->out.path, {options->model});
                    Model model = load_model(options->model);
                    model.network.to(device_options(context.device));
                    enhance_files(model, options->in, options->out, context.console, context.stop);
                    print(context, {}, "enhanced " + options->out.path.string());
                    return 0;
                  });
  command->add_option("MODEL", options->model, "model.safetensors of a training")->required();
  command
      ->add_option("IN", options->in,
                   "DICOM series (folder) or slice, NIfTI, NRRD, MetaImage, TIFF, HDF5, PNG, or a folder of "
                   "such files")
      ->required();
  command->add_option("OUT", options->out.path, "the same kind; metadata are kept")->required();
  add_overwrite(*command, options->out);
}

}  // namespace lucivox
