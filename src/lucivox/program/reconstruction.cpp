#include <algorithm>
#include <chrono>
#include <numeric>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/pipeline.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/formats/open.h>
#include <lucivox/program/reconstruction.h>
#include <lucivox/program/slab_store.h>
#include <lucivox/tomo/preprocess/shift.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

using Clock = std::chrono::steady_clock;

// The program itself with its libraries, before it has read anything.
constexpr double kProgramBytes = 450e6;

double half_of_the_machine() {
  return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / 2;
}

Rows rows_of(const ScanInfo& info, const std::optional<Rows>& chosen) {
  if (!chosen) return all_rows(info);
  if (chosen->begin < 0 || chosen->count < 1 || chosen->begin + chosen->count > info.rows) {
    throw Error::misuse(fmt::format("rows {}:{} of a scan of {} rows", chosen->begin,
                                    chosen->begin + chosen->count, info.rows),
                        "rows count from 0; the last one is not included");
  }
  return *chosen;
}

ScanGeometry geometry_of(const ScanInfo& info, double pixel_mm) {
  return {.angles_rad = info.angles_rad,
          .detectors = info.columns,
          .detector_mm = pixel_mm,
          .rows = info.columns,
          .columns = info.columns,
          .pixel_mm = pixel_mm};
}

// One detector row's recorded, corrected and reconstructed values, and those of the slabs before and after
// it.
double slab_bytes(const ScanInfo& info, const ScanGeometry& geometry, const ReconstructionOptions& options,
                  int64_t rows) {
  const auto with_halo = static_cast<double>(rows + 2 * halo_rows(options.preprocessing));
  const double row = 4.0 * static_cast<double>(info.views * info.columns),
               slice = 4.0 * static_cast<double>(geometry.rows * geometry.columns);
  constexpr double corrected = 4;  // the next slab, this one, and two steps of its correction
  return kProgramBytes + with_halo * row * corrected + static_cast<double>(rows) * slice +
         reconstruction_bytes(geometry, options.method, rows);
}

// As many rows as fit, whole groups of 16 where they do.
int64_t slab_rows(const ScanInfo& info, const ScanGeometry& geometry, const ReconstructionOptions& options,
                  int64_t rows) {
  const double bound = options.memory_bytes > 0 ? options.memory_bytes : half_of_the_machine();
  int64_t fitting = 0;
  while (fitting < rows && slab_bytes(info, geometry, options, fitting + 1) <= bound) ++fitting;
  if (fitting == 0) {
    throw Error(
        fmt::format("{} of memory are too little for one slice of this scan", human_bytes(bound)),
        fmt::format("allow at least {} (--memory)", human_bytes(slab_bytes(info, geometry, options, 1))));
  }
  constexpr int64_t group = 16;
  return fitting < rows && fitting > group ? fitting / group * group : fitting;
}

ImageInfo image_info(const ScanGeometry& geometry, int64_t slices, bool known_pixel) {
  ImageInfo info;
  info.shape = {slices, geometry.rows, geometry.columns};
  info.spacing_mm = {geometry.pixel_mm, geometry.pixel_mm, geometry.pixel_mm};
  info.origin_mm = {-static_cast<double>(geometry.columns - 1) / 2 * geometry.pixel_mm,
                    -static_cast<double>(geometry.rows - 1) / 2 * geometry.pixel_mm, 0};
  info.spacing_known = known_pixel;
  info.units = known_pixel ? Units::PerMm : Units::Unknown;
  return info;
}

// All that the values depend on, for resuming.
Json task_of(const ProjectionSource& scan, Rows rows, int64_t rows_a_slab, const std::vector<double>& centres,
             const ScanGeometry& geometry, const ReconstructionOptions& options) {
  const ScanInfo& info = scan.info();
  Json method = "sirt";
  if (const auto* window = std::get_if<RampWindow>(&options.method)) {
    method = fmt::format("fbp {}", static_cast<int>(*window));
  } else {
    const auto& sirt = std::get<SirtOptions>(options.method);
    method = {sirt.iterations, sirt.relaxation, sirt.minimum ? Json(*sirt.minimum) : Json(), sirt.tolerance};
  }
  const Preprocessing& before = options.preprocessing;
  const Propagation phase = before.phase.value_or(Propagation{});
  return {{"lucivox", version()},
          {"scan", fs::absolute(scan.name()).string()},
          {"shape", {info.views, info.rows, info.columns, info.flats, info.darks}},
          {"angles", std::accumulate(info.angles_rad.begin(), info.angles_rad.end(), 0.0)},
          {"rows", {rows.begin, rows.count, rows_a_slab}},
          {"centres", centres},
          {"pixel", geometry.pixel_mm},
          {"method", method},
          {"device", c10::DeviceTypeName(options.device.type())},
          {"zingers", before.zinger_threshold},
          {"rings", static_cast<int>(before.rings)},
          {"phase", {phase.pixel_mm, phase.distance_mm, phase.energy_keV, phase.delta_beta}}};
}

struct Slab {
  Rows rows;      // of the scan
  int64_t first;  // slice of the image
};

std::vector<Slab> slabs_of(Rows rows, int64_t rows_a_slab) {
  std::vector<Slab> slabs;
  for (int64_t first = 0; first < rows.count; first += rows_a_slab)
    slabs.push_back({{rows.begin + first, std::min(rows_a_slab, rows.count - first)}, first});
  return slabs;
}

class Reconstruction {
 public:
  Reconstruction(const fs::path& scan, Output out, const ReconstructionOptions& options, Reporter& reporter,
                 const StopToken& stop)
      : source_(open_scan(scan, out.path, reporter)),
        out_(std::move(out)),
        options_(options),
        reporter_(reporter),
        stop_(stop),
        rows_(rows_of(source_->info(), options.rows)),
        known_pixel_(options.pixel_mm || source_->info().pixel_mm),
        geometry_(
            geometry_of(source_->info(), options.pixel_mm.value_or(source_->info().pixel_mm.value_or(1)))),
        rows_a_slab_(slab_rows(source_->info(), geometry_, options, rows_.count)) {
    check(geometry_);
    if (is_png() && rows_.count != 1)
      throw Error::misuse(fmt::format("{} slices in a PNG", rows_.count),
                          "choose one (--rows 10:11), or write TIFF");
  }

  ReconstructionResult run() {
    const auto start = Clock::now();
    prove_writable();
    if (!known_pixel_)
      reporter_.note("the scan does not tell its pixel size: values are in 1/pixel (--pixel-mm)");
    centres_ = centres_of(*source_, rows_, options_.centre, options_.preprocessing, reporter_);
    const SlabStore store(out_.path, task_of(*source_, rows_, rows_a_slab_, centres_, geometry_, options_),
                          options_.resume);
    ReconstructionResult result{
        .slab_rows = rows_a_slab_, .first_centre = centres_.front(), .last_centre = centres_.back()};
    result.slices = compute(store);
    result.finished = result.slices == rows_.count;
    if (result.finished) {
      write(store);
      store.remove();
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
  }

 private:
  bool is_png() const { return out_.path.extension() == ".png"; }

  // A kind of file that cannot hold the image is told before hours of work.
  void prove_writable() const {
    if (!is_png()) create(out_.path, image_info(geometry_, rows_.count, known_pixel_), {}, out_.existing);
  }

  // The slices that are finished in the end.
  int64_t compute(const SlabStore& store) {
    std::vector<Slab> missing;
    int64_t slices = 0;
    Progress progress(reporter_, source_->name(), rows_.count, "slices");
    const auto advance = [&](const Slab& slab) {
      slices += slab.rows.count;
      for (int64_t i = 0; i < slab.rows.count; ++i) progress.advance();
    };
    for (const Slab& slab : slabs_of(rows_, rows_a_slab_)) {
      if (store.has(slab.first)) {
        advance(slab);
      } else {
        missing.push_back(slab);
      }
    }
    const auto slab = [&](int64_t i) -> const Slab& { return missing[static_cast<size_t>(i)]; };
    run_pipeline(
        std::ssize(missing), [&](int64_t i) { return read(slab(i).rows); },
        [&](int64_t i, Recording recording) { return slices_of(slab(i), std::move(recording)); },
        [&](int64_t i, const at::Tensor& values) {
          if (!values.defined()) return;  // stopped within the slab
          store.write(slab(i).first, values);
          advance(slab(i));
        },
        stop_);
    return slices;
  }

  struct Recording {
    Recorded recorded;
    int64_t first;  // the first row that is asked for, behind the halo
  };

  Recording read(Rows rows) const {
    const Rows wide = with_halo(rows, source_->info(), options_.preprocessing);
    return {read_recorded(*source_, wide), rows.begin - wide.begin};
  }

  // Undefined when asked to stop meanwhile.
  at::Tensor slices_of(const Slab& slab, Recording recording) const {
    at::Tensor sino = line_integrals(std::move(recording.recorded), recording.first, slab.rows.count,
                                     options_.preprocessing);
    const auto begin = centres_.begin() + slab.first;
    const std::vector<double> centres(begin, begin + slab.rows.count);
    ScanGeometry geometry = geometry_;
    if (std::ranges::all_of(centres, [&](double centre) { return centre == centres.front(); })) {
      geometry.centre = centres.front();
    } else {
      sino = centred(sino, centres);
    }
    ReconstructionMethod method = options_.method;
    if (auto* sirt = std::get_if<SirtOptions>(&method))
      sirt->progress = [this](int64_t, double) { return !stop_.stop_requested(); };
    at::Tensor slices = reconstruct(sino.to(options_.device), geometry, method).cpu();
    return stop_.stop_requested() ? at::Tensor() : slices;
  }

  void write(const SlabStore& store) const {
    ImageInfo info = image_info(geometry_, rows_.count, known_pixel_);
    if (is_png()) info.scalar = Scalar::UInt16;
    const auto sink = create(out_.path, info,
                             {fmt::format("Reconstructed by lucivox {} from {}", version(),
                                          fs::path(source_->name()).filename().string())},
                             out_.existing);
    for (const Slab& slab : slabs_of(rows_, rows_a_slab_)) {
      const at::Tensor values = store.read(slab.first, {slab.rows.count, geometry_.rows, geometry_.columns});
      sink->write({{slab.first, 0, 0}, {slab.rows.count, geometry_.rows, geometry_.columns}},
                  is_png() ? in_16_bits(values) : values);
    }
    sink->commit();
  }

  static at::Tensor in_16_bits(const at::Tensor& values) {
    const at::Tensor sorted = std::get<0>(values.flatten().sort());
    const int64_t cut = sorted.numel() / 1000;
    const double low = sorted[cut].item<double>(), high = sorted[sorted.numel() - 1 - cut].item<double>();
    return (values - low) * (65535 / std::max(high - low, 1e-12));
  }

  const std::unique_ptr<ProjectionSource> source_;
  const Output out_;
  const ReconstructionOptions& options_;
  Reporter& reporter_;
  const StopToken& stop_;
  const Rows rows_;
  const bool known_pixel_;
  const ScanGeometry geometry_;
  const int64_t rows_a_slab_;
  std::vector<double> centres_;
};

}  // namespace

Json to_json(const ReconstructionResult& result) {
  return {{"finished", result.finished},           {"slices", result.slices},
          {"slab_rows", result.slab_rows},         {"first_row_centre", result.first_centre},
          {"last_row_centre", result.last_centre}, {"seconds", result.seconds}};
}

ReconstructionResult reconstruct_scan(const fs::path& scan, const Output& out,
                                      const ReconstructionOptions& options, Reporter& reporter,
                                      const StopToken& stop) {
  return Reconstruction(scan, out, options, reporter, stop).run();
}

}  // namespace lucivox
