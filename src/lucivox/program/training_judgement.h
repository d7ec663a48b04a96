#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include <lucivox/base/config.h>
#include <lucivox/base/reporter.h>
#include <lucivox/metrics/quality.h>
#include <lucivox/nn/model.h>
#include <lucivox/program/report.h>
#include <lucivox/train/pairs.h>

namespace lucivox {

struct Judged {
  std::string name;
  Quality quality;
};

// Before and after: the quality of validation slices against full dose, by the finished model on whole
// slices.
struct BeforeAfter {
  Quality before, after;
  std::vector<Judged> others;  // total variation, the dense network before it was pruned
  int64_t slices = 0;
  Units units = Units::HU;           // of the RMSE
  Json tissue_bias = Json::array();  // of HU, tissue_bias.h
};

// What is compared, a row for each, from the low dose to the result.
std::vector<Judged> rows_of(const BeforeAfter& quality);

// Enhances every validation slice whole, as a user would, and pictures a few, in the run's folder `pictures`
// and for its report.
BeforeAfter compare(const Model& model, PairedSlices& validation, const std::filesystem::path& run,
                    Reporter& reporter, std::vector<ReportPicture>& pictures);
// The dense network that a sparse run has pruned, on the same slices.
Judged judge_dense(const std::filesystem::path& path, PairedSlices& validation, c10::Device device);
// Total variation at its best strength. The slices must be of one size.
Judged judge_total_variation(PairedSlices& validation, const QualityWindow& window);

// What the model of HU makes of slices of one value: [{"hu": that value, "error_hu": by how much the centre
// moved, "uneven_hu": how far any pixel, those at the border included, is from the centre}].
Json constant_regions(const Model& model);

}  // namespace lucivox
