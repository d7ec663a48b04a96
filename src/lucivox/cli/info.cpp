#include <lucivox/cli/command.h>
#include <lucivox/program/description.h>

namespace lucivox {

void add_info(CLI::App& app, Context& context) {
  auto path = std::make_shared<std::filesystem::path>();
  CLI::App* command =
      add_command(app, context, "info", "what a model file, an image, a folder of images or a scan is",
                  Flags{.json = true}, [&context, path] {
                    const Json json = describe_file(*path);
                    print(context, json, as_text(json));
                    return 0;
                  });
  command
      ->add_option(
          "FILE", *path,
          "model.safetensors, image, DICOM series, folder of images, or scan (DXchange, description.toml)")
      ->required();
}

}  // namespace lucivox
