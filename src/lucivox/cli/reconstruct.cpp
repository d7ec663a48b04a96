#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/text.h>
#include <lucivox/cli/command.h>
#include <lucivox/formats/projections.h>
#include <lucivox/program/device.h>
#include <lucivox/program/reconstruction.h>

namespace lucivox {
namespace {

struct Options {
  std::filesystem::path scan;
  Output out;
  std::string method = "fbp", filter = "shepp-logan", rings = "none", centre = "auto", sweep, rows;
  int64_t iterations = 100;
  std::optional<double> minimum, pixel_mm;
  double zingers = 0;
  Propagation propagation;
  uint64_t memory = 0;
  bool resume = false;
};

// "100:200", the last one not included.
std::optional<Rows> rows_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  Rows rows;
  int64_t end = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%ld:%ld%c", &rows.begin, &end, &rest) != 2 || end <= rows.begin)
    throw Error::misuse(fmt::format("'{}' as rows", text),
                        "the first and one past the last, such as 100:200");
  rows.count = end - rows.begin;
  return rows;
}

RingRemoval rings_of(const std::string& name) {
  if (name == "wavelet") return RingRemoval::WaveletFourier;
  return name == "sorting" ? RingRemoval::Sorting : RingRemoval::None;
}

ReconstructionMethod method_of(const Options& options) {
  if (options.method == "fbp") return ramp_window(options.filter);
  return SirtOptions{.iterations = options.iterations, .minimum = options.minimum};
}

ReconstructionOptions reconstruction_of(const Options& options, const Context& context) {
  ReconstructionOptions all{
      .preprocessing = {.zinger_threshold = options.zingers, .rings = rings_of(options.rings)},
      .centre = centre_choice(options.centre),
      .method = method_of(options),
      .rows = rows_of(options.rows),
      .pixel_mm = options.pixel_mm,
      .memory_bytes = static_cast<double>(options.memory),
      .device = device_options(context.device).device(),
      .resume = options.resume};
  if (options.propagation.distance_mm > 0) {
    all.preprocessing.phase = options.propagation;
    const auto scan = open_projections(options.scan);
    all.preprocessing.phase->pixel_mm = options.pixel_mm.value_or(scan->info().pixel_mm.value_or(0));
  }
  return all;
}

int sweep(const Options& options, Context& context) {
  const auto scan = open_scan(options.scan, options.out.path, context.terminal);
  const Rows rows = rows_of(options.rows).value_or(all_rows(scan->info()));
  write_centre_sweep(*scan, rows.begin + rows.count / 2, centre_sweep(options.sweep),
                     reconstruction_of(options, context).preprocessing,
                     device_options(context.device).device(), options.out.path, context.terminal,
                     context.stop);
  print(context, {{"picture", options.out.path.string()}}, "candidates in " + options.out.path.string());
  return 0;
}

int reconstruct(const Options& options, Context& context) {
  if (!options.sweep.empty()) return sweep(options, context);
  const ReconstructionResult result = reconstruct_scan(
      options.scan, options.out, reconstruction_of(options, context), context.terminal, context.stop);
  const std::string text =
      fmt::format("{} slices in {}: {}", result.slices, human_seconds(result.seconds),
                  result.finished ? options.out.path.string() : "stopped; go on with --resume");
  print(context, to_json(result), text);
  return result.finished ? 0 : kStopped;
}

}  // namespace

void add_reconstruct(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      app, context, "reconstruct", "slices from the projections of a parallel-beam scan",
      Flags{.json = true, .device = true}, [&context, options] { return reconstruct(*options, context); });
  command
      ->add_option("SCAN", options->scan, "DXchange HDF5, or a .toml that describes TIFF stacks or raw files")
      ->required();
  command->add_option("OUT", options->out.path, "TIFF, HDF5, NIfTI, NRRD, MetaImage; PNG for one slice")
      ->required();
  add_overwrite(*command, options->out);
  command->add_option("--method", options->method, "fbp or sirt")
      ->check(CLI::IsMember({"fbp", "sirt"}))
      ->capture_default_str();
  command->add_option("--filter", options->filter, "fbp: ram-lak, shepp-logan, cosine, hamming or hann")
      ->capture_default_str();
  command->add_option("--iterations", options->iterations, "sirt: how many")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--minimum", options->minimum, "sirt: values stay above, in 1/mm (0 is usual)");
  command
      ->add_option("--centre,--center", options->centre,
                   "axis of rotation: auto, tilted, per-slice, COLUMN, or those of the FIRST,LAST row")
      ->capture_default_str();
  command->add_option("--centre-sweep,--center-sweep", options->sweep,
                      "FIRST,LAST,STEP: OUT becomes a PNG of the middle row with each of these centres");
  command->add_option("--rings", options->rings, "none, wavelet (wavelet-Fourier) or sorting")
      ->check(CLI::IsMember({"none", "wavelet", "sorting"}))
      ->capture_default_str();
  command
      ->add_option("--zingers", options->zingers,
                   "replace pixels brighter than their neighbours by this share of the beam")
      ->check(CLI::PositiveNumber);
  CLI::Option* distance = command
                              ->add_option("--distance-mm", options->propagation.distance_mm,
                                           "phase retrieval (Paganin): from object to detector")
                              ->check(CLI::PositiveNumber);
  CLI::Option* energy =
      command->add_option("--energy-kev", options->propagation.energy_keV, "phase retrieval: photon energy")
          ->check(CLI::PositiveNumber);
  CLI::Option* ratio = command
                           ->add_option("--delta-beta", options->propagation.delta_beta,
                                        "phase retrieval: delta / beta of the object")
                           ->check(CLI::PositiveNumber);
  distance->needs(energy)->needs(ratio);
  energy->needs(distance);
  ratio->needs(distance);
  command->add_option("--rows", options->rows, "FIRST:END, which detector rows; all unless told");
  command->add_option("--pixel-mm", options->pixel_mm, "the detector's pixel; what the scan says unless told")
      ->check(CLI::PositiveNumber);
  command->add_option("--memory", options->memory, "bound, such as 4G; half of the machine's unless told")
      ->transform(CLI::AsSizeValue(false));
  command->add_flag("--resume", options->resume, "go on where a run with the same options was ended");
}

}  // namespace lucivox
