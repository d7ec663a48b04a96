#include <fmt/format.h>

#include <lucivox/cli/command.h>
#include <lucivox/program/simulation.h>

namespace lucivox {

void add_simulate(CLI::App& app, Context& context) {
  CLI::App* simulate = app.add_subcommand("simulate", "paired data with known truth");
  simulate->require_subcommand(1);
  struct Options {
    std::filesystem::path out, from;
    CtSimulation scan;
  };
  auto options = std::make_shared<Options>();
  CLI::App* ct = add_command(
      *simulate, context, "ct", "chest CT slices at full and at low dose", Flags{.json = true},
      [&context, options] {
        const auto& [out, from, scan] = *options;
        const int64_t slices =
            from.empty() ? simulate_ct_files(out, scan, 0, scan.slices, context.console, context.stop)
                         : simulate_ct_files_from(from, out, scan, context.console, context.stop);
        print(context, {{"folder", out.string()}, {"slices", slices}},
              fmt::format("{} slices in {}: HQ (full dose), LQ (low dose), truth", slices, out.string()));
        return 0;
      });
  CtSimulation& scan = options->scan;
  ct->add_option("OUT", options->out, "folder to write HQ/, LQ/ and truth/ into")->required();
  ct->add_option("--from", options->from,
                 "a real CT in HU to scan, all its slices, instead of phantoms; any shape, air around");
  ct->add_option("--slices", scan.slices, "phantoms to scan")->capture_default_str();
  ct->add_option("--size", scan.size, "pixels along a side; 0: 512, or as the real CT")
      ->capture_default_str();
  ct->add_option("--seed", scan.seed, "of anatomy and noise")->capture_default_str();
  ct->add_option("--pixel-mm", scan.pixel_mm,
                 "size of a pixel; 0: a field of view of 400 mm, or the real CT's")
      ->capture_default_str();
  ct->add_option("--views", scan.views, "projection angles over a whole turn; 0: 984, fewer below 512 pixels")
      ->capture_default_str();
  ct->add_option("--full-photons", scan.full_photons, "photons a ray at full dose, before the bow-tie filter")
      ->capture_default_str();
  ct->add_option("--dose-fraction", scan.dose_fraction, "low dose as a part of the full dose")
      ->capture_default_str();
  ct->add_option("--bowtie-radius-mm", scan.bowtie_radius_mm,
                 "of the water cylinder that the bow-tie filter is made for; 0: no filter")
      ->capture_default_str();
  ct->add_option("--electronic-sigma", scan.electronic_sigma, "noise of the read-out in photons")
      ->capture_default_str();
}

}  // namespace lucivox
