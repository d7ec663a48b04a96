#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/dicom.h>
#include <lucivox/formats/dicom_tags.h>
#include <lucivox/formats/formats.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

using Vector = std::array<double, 3>;

double dot(const Vector& a, const Vector& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// ---- a series ----

std::vector<DicomSlice> read_slices(const ImageFolder& folder) {
  if (!folder.is_series()) {
    throw Error(fmt::format("{} holds {} images, not the slices of one DICOM series", folder.path.string(),
                            to_string(folder.kind)),
                "name one of its images");
  }
  std::vector<DicomSlice> slices;
  for (const fs::path& path : folder.images) {
    if (auto slice = read_slice(path)) slices.push_back(std::move(*slice));
  }
  if (slices.empty()) {
    throw Error(fmt::format("the folder {} holds no DICOM slices", folder.path.string()),
                "give the folder that directly holds the slices of one series, or an image file");
  }
  return slices;
}

void require_one_series(const fs::path& folder, const std::vector<DicomSlice>& slices) {
  std::map<std::string, std::pair<int, std::string>> series;
  for (const DicomSlice& slice : slices) {
    auto& [count, description] = series[text(slice.set(), tag::series_instance())];
    ++count;
    description = text(slice.set(), tag::series_description());
  }
  if (series.size() == 1) return;
  std::string list;
  for (const auto& [uid, about] : series) {
    list += fmt::format("\n  {} ({} slices{}{})", uid, about.first, about.second.empty() ? "" : ", ",
                        about.second);
  }
  throw Error(fmt::format("the folder {} holds {} DICOM series:{}", folder.string(), series.size(), list),
              "put the slices of one series into a folder of their own");
}

void require_alike(const std::vector<DicomSlice>& slices) {
  const DicomSlice& first = slices.front();
  for (const DicomSlice& slice : slices) {
    if (slice.rows != first.rows || slice.columns != first.columns) {
      throw Error(
          fmt::format("the slices differ in size: {} has {} x {} pixels, {} has {} x {}", first.path.string(),
                      first.columns, first.rows, slice.path.string(), slice.columns, slice.rows),
          "take the slice that does not belong out of the folder");
    }
    for (size_t i = 0; i < 6; ++i) {
      if (!(std::abs(slice.orientation[i] - first.orientation[i]) < 1e-3)) {
        throw Error(fmt::format("the slices {} and {} lie in different planes", first.path.string(),
                                slice.path.string()),
                    "take the slice that does not belong (a localizer?) out of the folder");
      }
    }
  }
}

// Where each slice lies along the normal, in mm; the instance number when the files know no positions.
std::vector<double> places_along_normal(const std::vector<DicomSlice>& slices) {
  const Vector normal = normal_of(slices.front().orientation);
  const bool positioned = std::all_of(slices.begin(), slices.end(),
                                      [](const DicomSlice& slice) { return slice.position_mm.has_value(); });
  std::vector<double> places;
  for (const DicomSlice& slice : slices) {
    const std::optional<double> instance = number(slice.set(), tag::instance_number());
    if (!positioned && !instance && slices.size() > 1) {
      throw damaged(slice.path,
                    "it has neither ImagePositionPatient nor InstanceNumber, so its place is unknown");
    }
    places.push_back(positioned ? dot(normal, *slice.position_mm) : instance.value_or(0));
  }
  return places;
}

// Sorts slices and their places together, and refuses two at one place.
void sort_slices(std::vector<DicomSlice>& slices, std::vector<double>& places) {
  std::vector<size_t> order(slices.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return places[a] < places[b]; });
  std::vector<DicomSlice> sorted;
  std::vector<double> sorted_places;
  constexpr double same_mm = 1e-4;
  for (const size_t i : order) {
    if (!sorted.empty() && !(places[i] - sorted_places.back() > same_mm)) {
      throw Error(fmt::format("{} and {} lie at the same place", sorted.back().path.string(),
                              slices[i].path.string()),
                  "keep one of them: a folder holds each slice of one series once");
    }
    sorted.push_back(slices[i]);
    sorted_places.push_back(places[i]);
  }
  slices = std::move(sorted);
  places = std::move(sorted_places);
}

// ---- what the image says about itself ----

bool is_ct(const gdcm::DataSet& set) {
  return text(set, tag::modality()) == "CT" || text(set, tag::sop_class()) == kCtImageStorage;
}

double positive_or(std::optional<double> value, double otherwise) {
  return value && *value > 0 ? *value : otherwise;
}

std::vector<double> sorted_gaps(const std::vector<double>& places) {
  std::vector<double> gaps;
  for (size_t i = 1; i < places.size(); ++i) gaps.push_back(places[i] - places[i - 1]);
  std::sort(gaps.begin(), gaps.end());
  return gaps;
}

// The median of the gaps, so that one missing slice does not change the scale of the whole; a person is told
// of it.
double slice_spacing(ImageInfo& info, const DicomSlice& slice, const std::vector<double>& places) {
  const std::vector<double> gaps = sorted_gaps(places);
  if (gaps.empty() || !slice.position_mm) {
    return positive_or(number(slice.set(), tag::spacing_between_slices()),
                       positive_or(number(slice.set(), tag::slice_thickness()), 1));
  }
  constexpr double uneven = 1.1;  // rounded positions differ by less
  if (gaps.back() > uneven * gaps.front()) {
    info.header["SliceGaps"] = fmt::format("irregular, {:.6g} to {:.6g} mm", gaps.front(), gaps.back());
  }
  return gaps[(gaps.size() - 1) / 2];
}

void describe_geometry(ImageInfo& info, const DicomSlice& first, const std::vector<double>& places) {
  std::vector<double> pixel = numbers(first.set(), tag::pixel_spacing());
  if (pixel.size() != 2) pixel = numbers(first.set(), tag::imager_pixel_spacing());
  info.spacing_known = pixel.size() == 2;
  pixel.resize(2, 1.0);
  // PixelSpacing is (between rows, between columns): Y before X
  info.spacing_mm = {positive_or(pixel[1], 1), positive_or(pixel[0], 1), slice_spacing(info, first, places)};
  info.origin_mm = first.position_mm.value_or(Vector{0, 0, 0});
  const Vector normal = normal_of(first.orientation);
  for (size_t i = 0; i < 3; ++i) {
    info.direction[3 * i] = first.orientation[i];
    info.direction[3 * i + 1] = first.orientation[3 + i];
    info.direction[3 * i + 2] = normal[i];
  }
}

void describe_header(ImageInfo& info, const gdcm::DataSet& set) {
  static const std::vector<std::pair<const char*, gdcm::Tag>> shown = {
      {"PatientID", {0x0010, 0x0020}},
      {"PatientName", {0x0010, 0x0010}},
      {"PatientSex", {0x0010, 0x0040}},
      {"PatientAge", {0x0010, 0x1010}},
      {"StudyDate", {0x0008, 0x0020}},
      {"StudyDescription", {0x0008, 0x1030}},
      {"StudyInstanceUID", {0x0020, 0x000D}},
      {"SeriesInstanceUID", {0x0020, 0x000E}},
      {"SeriesNumber", {0x0020, 0x0011}},
      {"SeriesDescription", {0x0008, 0x103E}},
      {"Modality", {0x0008, 0x0060}},
      {"Manufacturer", {0x0008, 0x0070}},
      {"ManufacturerModelName", {0x0008, 0x1090}},
      {"BodyPartExamined", {0x0018, 0x0015}},
      {"ConvolutionKernel", {0x0018, 0x1210}},
      {"KVP", {0x0018, 0x0060}},
      {"XRayTubeCurrent", {0x0018, 0x1151}},
      {"Exposure", {0x0018, 0x1152}},
      {"SliceThickness", {0x0018, 0x0050}},
      {"WindowCenter", {0x0028, 0x1050}},
      {"WindowWidth", {0x0028, 0x1051}},
      {"DerivationDescription", {0x0008, 0x2111}},
  };
  for (const auto& [keyword, at] : shown) {
    if (const std::string value = text(set, at); !value.empty()) info.header[keyword] = value;
  }
}

ImageInfo describe(const std::vector<DicomSlice>& slices, const std::vector<double>& places) {
  const DicomSlice& first = slices.front();
  ImageInfo info;
  info.format = "DICOM";
  info.shape = {static_cast<int64_t>(slices.size()), first.rows, first.columns};
  describe_geometry(info, first, places);
  describe_header(info, first.set());
  const bool alike = std::all_of(slices.begin(), slices.end(), [&](const DicomSlice& slice) {
    return slice.cell == first.cell && slice.calibration == first.calibration;
  });
  if (alike) {  // else each slice has its own scale (PET), and only float32 describes all of them
    info.scalar = first.cell.scalar();
    info.slope = first.calibration.slope;
    info.intercept = first.calibration.intercept;
  }
  const std::string rescale_type = text(first.set(), tag::rescale_type());
  if (is_ct(first.set()) && (rescale_type.empty() || rescale_type == "HU")) info.units = Units::HU;
  if (const auto stored = binary(first.set(), tag::padding(), first.cell.is_signed)) {
    info.padding = first.calibration.slope * static_cast<double>(*stored) + first.calibration.intercept;
  }
  return info;
}

// A CT pixel below -1024 HU cannot be tissue. Where the header names no padding, scanners that write signed
// pixels fill the corners outside of the circle of reconstruction with -2000 or -2048: such a minimum of the
// first slice is taken for padding.
std::optional<double> unsaid_padding(const ImageInfo& info, const DicomSlice& slice) {
  constexpr double below_any_tissue_hu = -2000;
  const double lowest = slice.calibration.slope * slice.cell.range().low + slice.calibration.intercept;
  if (info.padding || info.units != Units::HU || lowest > below_any_tissue_hu) return info.padding;
  std::vector<float> values(static_cast<size_t>(slice.rows * slice.columns));
  read_values(slice, values.data());
  const float minimum = *std::min_element(values.begin(), values.end());
  return minimum <= below_any_tissue_hu ? std::optional<double>(minimum) : std::nullopt;
}

class DicomSource : public ImageSource {
 public:
  DicomSource(const fs::path& path, std::vector<DicomSlice> slices) : name_(path.string()) {
    require_alike(slices);
    std::vector<double> places = places_along_normal(slices);
    sort_slices(slices, places);
    info_ = describe(slices, places);
    info_.padding = unsaid_padding(info_, slices.front());
    header_ = std::make_shared<DicomHeader>();
    header_->slices = std::move(slices);
    info_.native = header_;
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return name_; }

  at::Tensor read_stored(const Region& region) override {
    require_inside(region, info_, name_);
    at::Tensor part = at::empty(region.size, tensor_type(info_.scalar));
    for (int64_t z = 0; z < region.size[0]; ++z) {
      const DicomSlice& slice = header_->slices[static_cast<size_t>(region.begin[0] + z)];
      if (slice.cell.scalar() != info_.scalar || slice.calibration != calibration_of(info_))
        throw Error(name_ + " has slices with rescale slopes of their own", "read it in physical units");
      std::vector<char> stored = formats::read_stored(slice);
      const at::Tensor whole_slice =
          at::from_blob(stored.data(), {slice.rows, slice.columns}, part.options());
      part[z].copy_(
          whole_slice.narrow(0, region.begin[1], region.size[1]).narrow(1, region.begin[2], region.size[2]));
    }
    return part;
  }
  // Of series whose slices have calibrations of their own, too.
  at::Tensor read(const Region& region) override {
    require_inside(region, info_, name_);
    at::Tensor values = at::empty({region.size[0], region.size[1], region.size[2]}, at::kFloat);
    at::Tensor whole_slice = at::empty({info_.shape[1], info_.shape[2]}, at::kFloat);
    for (int64_t z = 0; z < region.size[0]; ++z) {
      read_values(header_->slices[static_cast<size_t>(region.begin[0] + z)],
                  whole_slice.mutable_data_ptr<float>());
      values[z].copy_(
          whole_slice.narrow(0, region.begin[1], region.size[1]).narrow(1, region.begin[2], region.size[2]));
    }
    return values;
  }

 private:
  std::string name_;
  ImageInfo info_;
  std::shared_ptr<DicomHeader> header_;
};

}  // namespace

std::unique_ptr<ImageSource> open_dicom(const fs::path& file) {
  silence_gdcm();
  auto slice = read_slice(file);
  if (!slice)
    throw Error(file.string() + " is a DICOM file without an image",
                "give a slice, or the folder of a series");
  return std::make_unique<DicomSource>(file, std::vector{std::move(*slice)});
}

std::unique_ptr<ImageSource> open_dicom_series(const ImageFolder& folder) {
  silence_gdcm();
  std::vector<DicomSlice> slices = read_slices(folder);
  require_one_series(folder.path, slices);
  return std::make_unique<DicomSource>(folder.path, std::move(slices));
}

}  // namespace lucivox::formats
