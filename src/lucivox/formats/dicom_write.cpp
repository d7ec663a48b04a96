#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gdcmFileExplicitFilter.h>
#include <gdcmItem.h>
#include <gdcmSequenceOfItems.h>
#include <gdcmUIDGenerator.h>
#include <gdcmWriter.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/dicom.h>
#include <lucivox/formats/dicom_tags.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/staging.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

using gdcm::VR;

std::string new_uid() {
  gdcm::UIDGenerator generator;
  return generator.Generate();
}

struct Stamp {
  std::string date, time;  // DA and TM
};

Stamp now() {
  const std::tm utc = fmt::gmtime(std::time(nullptr));
  return {fmt::format("{:%Y%m%d}", utc), fmt::format("{:%H%M%S}", utc)};
}

// What any character set of DICOM can show, `longest` characters at most.
std::string plain(std::string text, size_t longest) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.substr(0, longest);
}

// ---- a slice derived from a source slice (PS3.3 section C.7.6.1.1: general image module) ----

void reference_source(gdcm::DataSet& set) {
  gdcm::Item item;
  item.SetVLToUndefined();
  set_text(item.GetNestedDataSet(), tag::referenced_sop_class(), VR::UI, text(set, tag::sop_class()));
  set_text(item.GetNestedDataSet(), tag::referenced_sop_instance(), VR::UI, text(set, tag::sop_instance()));
  gdcm::SmartPointer<gdcm::SequenceOfItems> items = new gdcm::SequenceOfItems;
  items->SetLengthToUndefined();
  items->AddItem(item);
  gdcm::DataElement element(tag::source_images());
  element.SetVR(VR::SQ);
  element.SetValue(*items);
  element.SetVLToUndefined();
  set.Replace(element);
}

// "ORIGINAL\PRIMARY\AXIAL" -> "DERIVED\SECONDARY\AXIAL"
std::string derived_image_type(const std::string& image_type) {
  size_t rest = image_type.find('\\');
  if (rest != std::string::npos) rest = image_type.find('\\', rest + 1);
  return "DERIVED\\SECONDARY" + (rest == std::string::npos ? "" : image_type.substr(rest));
}

// Derived series are listed a thousand after their source.
void move_series_number(gdcm::DataSet& set) {
  constexpr double offset = 1000, largest = 2147483647;  // IS, PS3.5 table 6.2-1
  const double moved = number(set, tag::series_number()).value_or(0) + offset;
  if (moved <= largest) set_text(set, tag::series_number(), VR::IS, fmt::format("{:.0f}", moved));
}

void mark_derived(gdcm::DataSet& set, const std::string& description) {
  reference_source(set);
  set_text(set, tag::image_type(), VR::CS, derived_image_type(text(set, tag::image_type())));
  set_text(set, tag::derivation_description(), VR::ST, plain(description, 1024));
  constexpr size_t longest_description = 64;  // LO
  const std::string suffix = " lucivox";
  std::string series = text(set, tag::series_description()).substr(0, longest_description - suffix.size());
  set_text(set, tag::series_description(), VR::LO, series + suffix);
  move_series_number(set);
}

// What was true of the source's pixels only: extremes, thumbnail, signatures, the pixels themselves.
void remove_what_no_longer_holds(gdcm::DataSet& set) {
  static const std::vector<gdcm::Tag> stale = {
      {0x0028, 0x0106},          {0x0028, 0x0107},  // smallest and largest pixel value of the image
      {0x0028, 0x0108},          {0x0028, 0x0109},  // ... and of the series
      {0x0088, 0x0200},                             // icon image sequence
      {0x0400, 0x0561},                             // original attributes sequence
      {0x4FFE, 0x0001},          {0xFFFA, 0xFFFA},  // MAC parameters, digital signatures
      {tag::kPixelGroup, 0x0010}};
  for (const gdcm::Tag& element : stale) set.Remove(element);
}

gdcm::DataSet derived_set(const DicomSlice& source, const std::string& description) {
  // implicit data sets know no value representations: look them up before writing explicit ones
  gdcm::FileExplicitFilter filter;
  filter.GetFile().SetHeader(source.file->GetHeader());
  filter.GetFile().SetDataSet(source.set());
  if (source.file->GetHeader().GetDataSetTransferSyntax().IsImplicit()) filter.Change();
  gdcm::DataSet set = filter.GetFile().GetDataSet();
  if (!description.empty()) mark_derived(set, description);
  remove_what_no_longer_holds(set);
  const Stamp stamp = now();
  set_text(set, tag::instance_creation_date(), VR::DA, stamp.date);
  set_text(set, tag::instance_creation_time(), VR::TM, stamp.time);
  return set;
}

// ---- a series of our own ----

PixelCell cell_for(const ImageInfo& info) {
  const int bits = static_cast<int>(8 * bytes_per_voxel(info.scalar));
  if (info.units == Units::HU || bits > 16) return {16, 16, 15, info.units == Units::HU};
  return {bits, bits, bits - 1, range_of(info.scalar).low < 0};
}

// Hounsfield units are stored as they are. Small integers keep their calibration; anything else is spread
// over all of uint16.
Calibration calibration_for(const ImageInfo& info, const float* values, int64_t count) {
  if (info.units == Units::HU) return {};
  if (bytes_per_voxel(info.scalar) <= 2) return calibration_of(info);
  const auto [low, high] = std::minmax_element(values, values + count);
  const double step =
      (static_cast<double>(*high) - static_cast<double>(*low)) / range_of(Scalar::UInt16).high;
  // as it will be read back, so that pixels are rounded with the very numbers that the header carries
  return {step > 0 ? std::stod(decimal_string(step)) : 1,
          std::stod(decimal_string(static_cast<double>(*low)))};
}

std::string header_or(const ImageInfo& info, const std::string& key, const std::string& otherwise = {}) {
  const auto found = info.header.find(key);
  return found == info.header.end() ? otherwise : found->second;
}

void set_identity(gdcm::DataSet& set, const ImageInfo& info, const std::string& description) {
  const bool ct = info.units == Units::HU;
  const Stamp stamp = now();
  set_text(set, {0x0008, 0x0005}, VR::CS, "ISO_IR 192");
  set_text(set, tag::image_type(), VR::CS,
           description.empty() ? "ORIGINAL\\PRIMARY\\AXIAL" : "DERIVED\\SECONDARY\\AXIAL");
  set_text(set, tag::sop_class(), VR::UI, ct ? kCtImageStorage : kSecondaryCaptureStorage);
  set_text(set, tag::modality(), VR::CS, ct ? "CT" : "OT");
  set_text(set, {0x0008, 0x0020}, VR::DA, header_or(info, "StudyDate", stamp.date));
  set_text(set, {0x0008, 0x0030}, VR::TM, stamp.time);
  set_text(set, {0x0008, 0x0050}, VR::SH, "");              // AccessionNumber
  if (!ct) set_text(set, {0x0008, 0x0064}, VR::CS, "WSD");  // ConversionType: workstation
  set_text(set, {0x0008, 0x0070}, VR::LO, header_or(info, "Manufacturer", "lucivox"));
  set_text(set, {0x0008, 0x0090}, VR::PN, "");  // ReferringPhysicianName
  set_text(set, tag::series_description(), VR::LO, header_or(info, "SeriesDescription", "lucivox"));
  if (!description.empty()) set_text(set, tag::derivation_description(), VR::ST, plain(description, 1024));
  set_text(set, {0x0010, 0x0010}, VR::PN, header_or(info, "PatientName"));
  set_text(set, {0x0010, 0x0020}, VR::LO, header_or(info, "PatientID"));
  set_text(set, {0x0010, 0x0030}, VR::DA, "");  // PatientBirthDate
  set_text(set, {0x0010, 0x0040}, VR::CS, header_or(info, "PatientSex"));
  if (ct) set_text(set, {0x0018, 0x0060}, VR::DS, header_or(info, "KVP"));
  set_text(set, tag::study_instance(), VR::UI, new_uid());
  set_text(set, {0x0020, 0x0010}, VR::SH, "");  // StudyID
  set_text(set, tag::series_number(), VR::IS, "1");
  if (ct) set_text(set, {0x0020, 0x0012}, VR::IS, "");  // AcquisitionNumber
  set_text(set, {0x0020, 0x0052}, VR::UI, new_uid());   // FrameOfReferenceUID
  set_text(set, {0x0020, 0x1040}, VR::LO, "");          // PositionReferenceIndicator
}

void set_geometry(gdcm::DataSet& set, const ImageInfo& info) {
  const auto& d = info.direction;
  set_text(set, tag::orientation(), VR::DS, decimal_strings({d[0], d[3], d[6], d[1], d[4], d[7]}));
  const bool required = info.units == Units::HU;  // CT images must have them
  if (!info.spacing_known && !required) return;
  const std::string spacing = decimal_string(info.spacing_mm[2]);
  set_text(set, tag::slice_thickness(), VR::DS, spacing);
  set_text(set, tag::spacing_between_slices(), VR::DS, spacing);
  set_text(set, tag::pixel_spacing(), VR::DS, decimal_strings({info.spacing_mm[1], info.spacing_mm[0]}));
}

void set_pixel_description(gdcm::DataSet& set, const DicomSlice& slice) {
  set_binary(set, tag::samples_per_pixel(), 1);
  set_text(set, tag::photometric(), VR::CS, "MONOCHROME2");
  set_binary(set, tag::rows(), static_cast<uint16_t>(slice.rows));
  set_binary(set, tag::columns(), static_cast<uint16_t>(slice.columns));
  set_binary(set, tag::bits_allocated(), static_cast<uint16_t>(slice.cell.bits_allocated));
  set_binary(set, tag::bits_stored(), static_cast<uint16_t>(slice.cell.bits_stored));
  set_binary(set, tag::high_bit(), static_cast<uint16_t>(slice.cell.high_bit));
  set_binary(set, tag::pixel_representation(), slice.cell.is_signed ? 1 : 0);
  set_text(set, tag::intercept(), VR::DS, decimal_string(slice.calibration.intercept));
  set_text(set, tag::slope(), VR::DS, decimal_string(slice.calibration.slope));
}

void set_place(gdcm::DataSet& set, const ImageInfo& info, int64_t z) {
  std::vector<double> position;
  for (size_t i = 0; i < 3; ++i) {
    position.push_back(info.origin_mm[i] +
                       static_cast<double>(z) * info.spacing_mm[2] * info.direction[3 * i + 2]);
  }
  set_text(set, tag::position(), VR::DS, decimal_strings(position));
  set_text(set, tag::instance_number(), VR::IS, fmt::format("{}", z + 1));
}

// ---- files ----

void set_pixels(gdcm::DataSet& set, const DicomSlice& slice, const float* values) {
  const int64_t count = slice.rows * slice.columns;
  const int64_t bytes = count * bytes_per_voxel(slice.cell.scalar());
  std::vector<char> stored(static_cast<size_t>(bytes + bytes % 2));
  to_stored(values, count, slice.calibration, slice.cell.scalar(), slice.cell.range(), stored.data());
  gdcm::DataElement element(tag::pixel_data());
  element.SetVR(slice.cell.bits_allocated == 8 ? VR::OB : VR::OW);
  element.SetByteValue(stored.data(), static_cast<uint32_t>(stored.size()));
  set.Replace(element);
  set_binary(set, tag::high_bit(), static_cast<uint16_t>(slice.cell.bits_stored - 1));
}

// Through memory: GDCM's writer stops the program when the disk is full.
bool write_slice(const fs::path& path, const gdcm::DataSet& set) {
  std::ostringstream bytes;
  gdcm::Writer writer;
  writer.GetFile().SetDataSet(set);
  writer.GetFile().GetHeader().SetDataSetTransferSyntax(gdcm::TransferSyntax::ExplicitVRLittleEndian);
  writer.SetStream(bytes);
  if (!writer.Write()) return false;
  std::ofstream file(path, std::ios::binary);
  file << bytes.view();
  file.close();
  return file.good();
}

// One slice goes into a file, several into a folder.
fs::path slice_path(const fs::path& pending, int64_t z) {
  return pending.extension() == ".dcm" ? pending : pending / fmt::format("slice_{:04}.dcm", z + 1);
}

bool encode_derived(const fs::path& pending, const DicomHeader& header, const std::string& description,
                    const float* values) {
  const std::string series = new_uid();
  for (size_t z = 0; z < header.slices.size(); ++z) {
    const DicomSlice& slice = header.slices[z];
    gdcm::DataSet set = derived_set(slice, description);
    set_text(set, tag::series_instance(), VR::UI, series);
    set_text(set, tag::sop_instance(), VR::UI, new_uid());
    set_pixels(set, slice, values + static_cast<int64_t>(z) * slice.rows * slice.columns);
    if (!write_slice(slice_path(pending, static_cast<int64_t>(z)), set)) return false;
  }
  return true;
}

bool encode_new(const fs::path& pending, const ImageInfo& info, const std::string& description,
                const float* values) {
  DicomSlice slice;
  slice.rows = info.shape[1];
  slice.columns = info.shape[2];
  slice.cell = cell_for(info);
  slice.calibration = calibration_for(info, values, info.shape[0] * slice.rows * slice.columns);
  gdcm::DataSet set;
  set_identity(set, info, description);
  set_text(set, tag::series_instance(), VR::UI, new_uid());
  set_geometry(set, info);
  set_pixel_description(set, slice);
  for (int64_t z = 0; z < info.shape[0]; ++z) {
    set_text(set, tag::sop_instance(), VR::UI, new_uid());
    set_place(set, info, z);
    set_pixels(set, slice, values + z * slice.rows * slice.columns);
    if (!write_slice(slice_path(pending, z), set)) return false;
  }
  return true;
}

void require_writable(const fs::path& path, const ImageInfo& info, Existing existing) {
  const bool one_file = path.extension() == ".dcm";
  if (one_file && info.shape[0] != 1) {
    throw Error::misuse(fmt::format("{} names one slice, but the image has {}", path.string(), info.shape[0]),
                        "a DICOM series is a folder: give a name without extension");
  }
  if (!one_file) require_vacant({path, existing});
  constexpr int64_t largest = 65535;  // Rows and Columns are 16-bit numbers
  if (info.shape[1] > largest || info.shape[2] > largest) {
    throw Error(fmt::format("DICOM slices have at most {} rows and columns", largest),
                "write TIFF or HDF5 instead");
  }
}

void require_same_shape(const fs::path& path, const ImageInfo& info, const DicomHeader& source) {
  const DicomSlice& first = source.slices.front();
  const std::array<int64_t, 3> shape{static_cast<int64_t>(source.slices.size()), first.rows, first.columns};
  if (info.shape == shape) return;
  throw Error(fmt::format("{} cannot keep the DICOM headers of its source: the shapes differ", path.string()),
              "write NIfTI instead, or leave out the native header");
}

}  // namespace

std::unique_ptr<ImageSink> create_dicom(const fs::path& path, const ImageInfo& info,
                                        const Derivation& derivation, Existing existing) {
  silence_gdcm();
  require_writable(path, info, existing);
  const auto source = std::dynamic_pointer_cast<const DicomHeader>(info.native);
  if (source) require_same_shape(path, info, *source);
  // slices may have scales of their own, and a scale of ours needs all values: they wait as they are
  ImageInfo staged = info;
  staged.scalar = Scalar::Float32;
  staged.slope = 1;
  staged.intercept = 0;
  return staged_sink(
      path, staged,
      [info, source, description = derivation.description](const fs::path& pending, const std::byte* stored) {
        const auto* values = reinterpret_cast<const float*>(stored);
        if (pending.extension() != ".dcm") create_folder(pending);
        return source ? encode_derived(pending, *source, description, values)
                      : encode_new(pending, info, description, values);
      });
}

}  // namespace lucivox::formats
