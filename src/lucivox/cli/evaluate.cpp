#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/program/evaluation.h>

namespace lucivox {
namespace {

// "RMSE, HU"
std::string with_units(const std::string& name, Units units) {
  return units == Units::Unknown ? name : fmt::format("{}, {}", name, to_string(units));
}

std::string text_of(const Evaluation& evaluation) {
  const Units units = evaluation.units;
  std::string text =
      fmt::format("{:<32}{:>12}{:>12}{:>12}{:>10}{:>9}{:>9}\n", "slice", with_units("RMSE", units),
                  with_units("bias", units), "MSE", "PSNR dB", "SSIM", "MS-SSIM");
  const auto line = [](const std::string& name, const Quality& q) {
    return fmt::format("{:<32}{:>12.4g}{:>12.4g}{:>12.3e}{:>10.2f}{:>9.4f}{:>9.4f}\n", name, q.rmse, q.bias,
                       q.mse, q.psnr, q.ssim, q.ms_ssim);
  };
  for (const SliceQuality& slice : evaluation.slices) text += line(slice.name, slice.quality);
  return text + line("mean", evaluation.mean) +
         fmt::format("{} {:g} .. {:g}: {}", with_units("window", units), evaluation.window.low,
                     evaluation.window.high, evaluation.window_reason);
}

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path a, b;
    std::array<double, 2> window{};
    CLI::Option* window_given = nullptr;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      app, context, "evaluate", "Compare an image with a reference: RMSE, bias, PSNR, SSIM, MS-SSIM",
      Flags{.json = true}, [&context, options] {
        std::optional<QualityWindow> window;
        if (options->window_given->count() > 0)
          window = QualityWindow{options->window[0], options->window[1]};
        const Evaluation evaluation =
            evaluate(options->a, options->b, window, context.terminal, context.stop);
        print(context, to_json(evaluation), text_of(evaluation));
        return 0;
      });
  command->add_option("A", options->a, "image, series, or folder of images")->required();
  command->add_option("B", options->b, "the reference, of the same size")->required();
  options->window_given =
      command
          ->add_option("--window", options->window,
                       "values that count as 0 and 1: LOW,HIGH [-1024,1024 for HU, else the range of B]")
          ->delimiter(',');
}

}  // namespace lucivox
