#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/cli/command.h>
#include <lucivox/program/simulation.h>

namespace lucivox {
namespace {

int report(Context& context, const std::filesystem::path& out, int64_t slices, const char* parts) {
  print(context, {{"folder", out.string()}, {"slices", slices}},
        fmt::format("{} slices in {}: {}", slices, out.string(), parts));
  return 0;
}

void add_ct(CLI::App& simulate, Context& context) {
  struct Options {
    Output out;
    std::filesystem::path from;
    CtSimulation scan;
    std::vector<double> dose_fraction{CtSimulation{}.dose_fraction};  // one, or the lowest and the highest
  };
  auto options = std::make_shared<Options>();
  CLI::App* ct = add_command(
      simulate, context, "ct", "chest CT slices at full and at low dose", Flags{.json = true},
      [&context, options] {
        auto& [out, from, scan, dose] = *options;
        if (dose.size() > 2)
          throw Error::misuse(fmt::format("--dose-fraction has {} values", dose.size()),
                              "give one, or LOW,HIGH");
        scan.dose_fraction = dose.front();
        scan.highest_dose_fraction = dose.size() > 1 ? dose.back() : 0;
        const int64_t slices =
            from.empty() ? simulate_ct_files(out, scan, 0, scan.slices, context.terminal, context.stop)
                         : simulate_ct_files_from(from, out, scan, context.terminal, context.stop);
        return report(context, out.path, slices, "HQ (full dose), LQ (low dose), truth");
      });
  CtSimulation& scan = options->scan;
  ct->add_option("OUT", options->out.path, "folder to write HQ/, LQ/ and truth/ into")->required();
  add_overwrite(*ct, options->out);
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
  ct->add_option("--dose-fraction", options->dose_fraction,
                 "low dose as a part of the full dose; LOW,HIGH: a random one for each slice")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  ct->add_option("--bowtie-radius-mm", scan.bowtie_radius_mm,
                 "of the water cylinder that the bow-tie filter is made for; 0: no filter")
      ->capture_default_str();
  ct->add_option("--electronic-sigma", scan.electronic_sigma, "noise of the read-out in photons")
      ->capture_default_str();
}

// As `reconstruct` does unless told otherwise; nothing attenuates less than air.
ReconstructionMethod method_of(const std::string& method) {
  if (method == "fbp") return RampWindow::SheppLogan;
  return SirtOptions{.iterations = 100, .minimum = 0};
}

void add_tomo(CLI::App& simulate, Context& context) {
  struct Options {
    Output out;
    std::string sample = "glass", method = "fbp";
    bool hdf5 = false;
    TomoSimulation scan;
  };
  auto options = std::make_shared<Options>();
  CLI::App* tomo = add_command(
      simulate, context, "tomo",
      "adjacent slices of a sample in a synchrotron's beam, by a good and a poor scan", Flags{.json = true},
      [&context, options] {
        TomoSimulation scan = options->scan;
        scan.sample = sample_kind(options->sample);
        scan.method = method_of(options->method);
        const TomoFiles files = options->hdf5 ? TomoFiles::FoldersAndHdf5 : TomoFiles::Folders;
        const int64_t slices = simulate_tomo_files(options->out, scan, files, context.terminal, context.stop);
        return report(context, options->out.path, slices,
                      "HQ (many projections, long exposures), LQ (few, short), truth");
      });
  TomoSimulation& scan = options->scan;
  tomo->add_option("OUT", options->out.path, "folder to write HQ/, LQ/ and truth/ into")->required();
  add_overwrite(*tomo, options->out);
  tomo->add_option("--sample", options->sample, "glass, shale, foam or fibres")->capture_default_str();
  tomo->add_option("--slices", scan.slices, "adjacent sections of the sample")->capture_default_str();
  tomo->add_option("--size", scan.size, "pixels along a side, over a field of view of 3.328 mm")
      ->capture_default_str();
  tomo->add_option("--seed", scan.seed, "of sample and noise")->capture_default_str();
  tomo->add_option("--views", scan.views,
                   "projections over half a turn; 0: 1.5 for each pixel along a side, at most 1500")
      ->capture_default_str();
  tomo->add_option("--few-views", scan.few_views, "projections of the poor scan; 0: an eighth of --views")
      ->capture_default_str();
  tomo->add_option("--photons", scan.photons, "photons a pixel and view in air")->capture_default_str();
  tomo->add_option("--exposure-fraction", scan.exposure_fraction,
                   "the poor scan's exposure as a part of the good one's")
      ->capture_default_str();
  tomo->add_option("--electronic-sigma", scan.electronic_sigma, "noise of the read-out in photons")
      ->capture_default_str();
  tomo->add_option("--method", options->method,
                   "fbp (Shepp-Logan filter) or sirt (100 iterations, not below 0), for both")
      ->check(CLI::IsMember({"fbp", "sirt"}))
      ->capture_default_str();
  tomo->add_flag("--hdf5", options->hdf5,
                 "also write OUT/clean.h5 and OUT/noisy.h5, as the public TomoGAN code reads them");
}

}  // namespace

void add_simulate(CLI::App& app, Context& context) {
  CLI::App* simulate = app.add_subcommand("simulate", "paired data with known truth");
  simulate->require_subcommand(1);
  add_ct(*simulate, context);
  add_tomo(*simulate, context);
}

}  // namespace lucivox
