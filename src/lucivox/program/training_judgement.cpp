#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/files.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/program/picture.h>
#include <lucivox/program/tissue_bias.h>
#include <lucivox/program/total_variation.h>
#include <lucivox/program/training_judgement.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/supervised.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

constexpr int64_t kPictures = 4;  // of validation slices, spread over all

bool pictured(int64_t index, int64_t count) {
  const int64_t wanted = std::min(kPictures, count);
  return index * wanted / count != (index + 1) * wanted / count;
}

// "" where they are not known.
std::string units_of(const IntensityMapping& intensity) {
  return intensity.units == Units::Unknown ? "" : to_string(intensity.units);
}

// HU are shown in the windows of lung and soft tissue; other values between percentiles of the full-dose
// slice, or one bright grain would leave everything else dark.
std::vector<DisplayWindow> display_windows(const IntensityMapping& intensity, const at::Tensor& full) {
  if (intensity.units == Units::HU) return {DisplayWindow{}, {kSoftTissueCentre, kSoftTissueWidth}};
  const at::Tensor edges = at::quantile(full.flatten().slice(0, 0, std::nullopt, 1 + full.numel() / 1000000),
                                        at::tensor({0.005, 0.995}, at::kFloat));
  const double low = edges[0].item<double>(), high = std::max(edges[1].item<double>(), low + 1e-9);
  return {{(low + high) / 2, high - low, units_of(intensity)}};
}
Triptych triptych_of(const std::string& name, const SlicePair& pair, const at::Tensor& enhanced,
                     const Quality& before, const Quality& after, const std::vector<DisplayWindow>& windows) {
  const auto caption = [](const Quality& q) {
    return fmt::format("PSNR {:.2f} dB, SSIM {:.4f}", q.psnr, q.ssim);
  };
  Triptych t;
  t.low_dose = pair.low;
  t.enhanced = enhanced;
  t.full_dose = pair.full;
  t.windows = windows;
  t.title = std::filesystem::path(name).filename().string();
  t.captions = {caption(before), caption(after), ""};
  return t;
}

// A low-dose slice [depth, Y, X] with its neighbours.
at::Tensor low_slices(PairedSlices& pairs, int64_t index, int64_t depth) {
  std::vector<at::Tensor> slices;
  for (const int64_t slice : neighbours(pairs, index, depth)) slices.push_back(pairs.read(slice).low);
  return at::stack(slices);
}

}  // namespace

std::vector<Judged> rows_of(const BeforeAfter& quality) {
  std::vector<Judged> rows{{"low dose", quality.before}};
  rows.insert(rows.end(), quality.others.begin(), quality.others.end());
  rows.push_back({"enhanced", quality.after});
  return rows;
}

BeforeAfter compare(const Model& model, PairedSlices& validation, const fs::path& run, Reporter& reporter,
                    std::vector<ReportPicture>& pictures) {
  std::vector<Quality> before, after;
  TissueBias bias;
  create_folder(run / "pictures");
  const QualityWindow window = quality_window(model.intensity);
  const int64_t depth = model.weights.graph().channels(0);
  Progress progress(reporter, "enhancing", validation.count(), "slices");
  for (int64_t i = 0; i < validation.count(); ++i) {
    const SlicePair pair = validation.read(i);
    const at::Tensor enhanced = enhance_slice(model, low_slices(validation, i, depth));
    before.push_back(quality(pair.low, pair.full, window));
    after.push_back(quality(enhanced, pair.full, window));
    if (model.intensity.units == Units::HU) bias.add(pair.low, enhanced, pair.full);
    if (pictured(i, validation.count())) {
      const std::string bytes =
          png(triptych(triptych_of(validation.name(i), pair, enhanced, before.back(), after.back(),
                                   display_windows(model.intensity, pair.full))));
      write_file(run / "pictures" / fmt::format("slice_{:04}.png", i), bytes);
      pictures.push_back({std::filesystem::path(validation.name(i)).filename().string(), bytes});
    }
    progress.advance();
  }
  return {mean(before), mean(after), {}, validation.count(), model.intensity.units, bias.json()};
}

Judged judge_dense(const fs::path& path, PairedSlices& validation, c10::Device device) {
  Model model = load_model(path);
  model.weights.to(device);
  std::vector<Quality> all;
  for (int64_t i = 0; i < validation.count(); ++i) {
    const at::Tensor enhanced =
        enhance_slice(model, low_slices(validation, i, model.weights.graph().channels(0)));
    all.push_back(quality(enhanced, validation.read(i).full, quality_window(model.intensity)));
  }
  return {"dense network", mean(all)};
}

Judged judge_total_variation(PairedSlices& validation, const QualityWindow& window) {
  std::vector<at::Tensor> low, full;
  for (int64_t i = 0; i < validation.count(); ++i) {
    const SlicePair pair = validation.read(i);
    low.push_back(pair.low);
    full.push_back(pair.full);
  }
  const BestTotalVariation best = best_total_variation(at::stack(low), at::stack(full));
  std::vector<Quality> all;
  for (size_t i = 0; i < full.size(); ++i)
    all.push_back(quality(best.denoised[static_cast<int64_t>(i)], full[i], window));
  return {"total variation", mean(all)};
}

Json constant_regions(const Model& model) {
  constexpr int64_t side = 128;
  const int64_t depth = model.weights.graph().channels(0);
  Json regions = Json::array();
  for (const double hu : {-1000.0, -850.0, -500.0, -100.0, 0.0, 50.0, 300.0, 1000.0, 2000.0}) {
    const at::Tensor enhanced = enhance_slice(model, at::full({depth, side, side}, hu, at::kFloat));
    const double centre = enhanced[side / 2][side / 2].item<double>();
    regions.push_back({{"hu", hu},
                       {"error_hu", centre - hu},
                       {"uneven_hu", (enhanced - centre).abs().max().item<double>()}});
  }
  return regions;
}

}  // namespace lucivox
