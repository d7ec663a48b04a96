#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/program/evaluation.h>

namespace lucivox {
namespace {

std::string text_of(const Evaluation& evaluation) {
  std::string text = fmt::format("{:<32}{:>10}{:>12}{:>10}{:>9}{:>9}\n", "slice", "RMSE", "MSE", "PSNR dB",
                                 "SSIM", "MS-SSIM");
  const auto line = [](const std::string& name, const Quality& q) {
    return fmt::format("{:<32}{:>10.3f}{:>12.3e}{:>10.2f}{:>9.4f}{:>9.4f}\n", name, q.rmse, q.mse, q.psnr,
                       q.ssim, q.ms_ssim);
  };
  for (const SliceQuality& slice : evaluation.slices) text += line(slice.name, slice.quality);
  return text + line("mean", evaluation.mean) +
         fmt::format("window {:g} .. {:g}", evaluation.window.low, evaluation.window.high);
}

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  struct Options {
    std::filesystem::path a, b;
    std::array<double, 2> window{-1024, 1024};
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      app, context, "evaluate", "how near an image is to the truth: MSE, PSNR, SSIM, MS-SSIM",
      Flags{.json = true}, [&context, options] {
        const Evaluation evaluation = evaluate(
            options->a, options->b, {options->window[0], options->window[1]}, context.console, context.stop);
        print(context, to_json(evaluation), text_of(evaluation));
        return 0;
      });
  command->add_option("A", options->a, "image, series, or folder of images")->required();
  command->add_option("B", options->b, "the truth, of the same size")->required();
  command->add_option("--window", options->window, "values that count as 0 and 1: LOW,HIGH")
      ->delimiter(',')
      ->capture_default_str();
}

}  // namespace lucivox
