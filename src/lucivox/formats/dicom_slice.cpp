#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gdcmImageReader.h>
#include <gdcmMediaStorage.h>
#include <gdcmReader.h>
#include <gdcmTrace.h>

#include <lucivox/base/error.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/codestream.h>
#include <lucivox/formats/dicom.h>
#include <lucivox/formats/dicom_tags.h>
#include <lucivox/formats/formats.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

// ---- header ----

// A directory, a report, a contour set: DICOM, but no image.
bool is_other_object(const gdcm::File& file) {
  const gdcm::MediaStorage::MSType storage =
      gdcm::MediaStorage::GetMSType(text(file.GetDataSet(), tag::sop_class()).c_str());
  const bool directory =
      file.GetDataSet().FindDataElement(gdcm::Tag(0x0004, 0x1220));  // DirectoryRecordSequence
  return directory || (storage != gdcm::MediaStorage::MS_END && !gdcm::MediaStorage::IsImage(storage));
}

gdcm::SmartPointer<gdcm::File> read_header(const fs::path& path, const DicomStructure& structure) {
  std::istringstream header(first_bytes(path, structure.header_bytes));
  gdcm::Reader reader;
  reader.SetStream(header);
  if (!reader.Read()) throw damaged(path, "its DICOM header is damaged");
  return &reader.GetFile();
}

PixelCell read_cell(const fs::path& path, const gdcm::DataSet& set) {
  PixelCell cell;
  cell.bits_allocated = static_cast<int>(binary(set, tag::bits_allocated()).value_or(0));
  cell.bits_stored = static_cast<int>(binary(set, tag::bits_stored()).value_or(cell.bits_allocated));
  cell.high_bit = static_cast<int>(binary(set, tag::high_bit()).value_or(cell.bits_stored - 1));
  cell.is_signed = binary(set, tag::pixel_representation()).value_or(0) == 1;
  const bool whole_bytes = cell.bits_allocated == 8 || cell.bits_allocated == 16 || cell.bits_allocated == 32;
  const bool fits =
      cell.bits_stored >= 1 && cell.high_bit < cell.bits_allocated && cell.high_bit >= cell.bits_stored - 1;
  if (!whole_bytes || !fits) {
    throw damaged(path, fmt::format("pixels of {} bits ({} stored, high bit {}) are not supported",
                                    cell.bits_allocated, cell.bits_stored, cell.high_bit));
  }
  return cell;
}

void require_grey_single_frame(const fs::path& path, const gdcm::DataSet& set) {
  const std::string photometric = text(set, tag::photometric());
  if (binary(set, tag::samples_per_pixel()).value_or(1) != 1 || photometric == "PALETTE COLOR")
    throw in_colour(path);
  if (number(set, tag::frames()).value_or(1) > 1) {
    throw Error(path.string() + " is a multi-frame DICOM; lucivox reads one slice a file",
                "convert it to a series of single frames, for example with dcm4che's emf2sf or to NIfTI with "
                "dcm2niix");
  }
}

// The usual axial plane where the header names none, or directions that span none.
std::array<double, 6> read_orientation(const gdcm::DataSet& set) {
  std::array<double, 6> orientation{1, 0, 0, 0, 1, 0};
  const std::vector<double> axes = numbers(set, tag::orientation());
  if (axes.size() != 6) return orientation;
  std::array<double, 6> said{};
  std::copy(axes.begin(), axes.end(), said.begin());
  const std::array<double, 3> normal = normal_of(said);
  const double squares = normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2];
  return std::abs(squares - 1) < 0.01 ? said : orientation;
}

// ---- pixels ----

// Leaves only the stored bits of each cell, extended by the sign: the others may hold overlays (PS3.5
// section 8.1.2).
template <typename Unsigned>
void keep_stored_bits(std::vector<char>& bytes, const PixelCell& cell) {
  const int below = cell.high_bit - cell.bits_stored + 1;
  const auto mask = static_cast<Unsigned>((uint64_t{1} << cell.bits_stored) - 1);
  const auto sign = static_cast<Unsigned>(uint64_t{1} << (cell.bits_stored - 1));
  for (size_t at = 0; at + sizeof(Unsigned) <= bytes.size(); at += sizeof(Unsigned)) {
    Unsigned value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    value = static_cast<Unsigned>((value >> below) & mask);
    if (cell.is_signed && (value & sign) != 0)
      value = static_cast<Unsigned>(value | static_cast<Unsigned>(~mask));
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
}

void keep_stored_bits(std::vector<char>& bytes, const PixelCell& cell) {
  if (cell.bits_stored == cell.bits_allocated) return;
  if (cell.bits_allocated == 8) keep_stored_bits<uint8_t>(bytes, cell);
  if (cell.bits_allocated == 16) keep_stored_bits<uint16_t>(bytes, cell);
  if (cell.bits_allocated == 32) keep_stored_bits<uint32_t>(bytes, cell);
}

// `bytes` from the beginning of the pixel data, as they lie in the file.
std::vector<char> read_bytes(const DicomSlice& slice, size_t bytes) {
  std::vector<char> stored(bytes);
  std::ifstream file(slice.path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(slice.structure.pixel_offset));
  if (!file.read(stored.data(), static_cast<std::streamsize>(bytes))) {
    throw damaged(slice.path, "its pixel data is truncated");
  }
  return stored;
}

std::vector<char> read_raw(const DicomSlice& slice, size_t bytes) {
  std::vector<char> stored = read_bytes(slice, bytes);
  if (!slice.structure.little_endian) swap_bytes(stored, static_cast<size_t>(slice.cell.bits_allocated / 8));
  return stored;
}

// GDCM stops the program at a code stream that is broken or holds less than the DICOM header says.
void require_same_frame(const DicomSlice& slice) {
  // the JPEG family; RLE has no frame header, and its decoder looks at lengths itself
  const std::string syntax = slice.file->GetHeader().GetDataSetTransferSyntax().GetString();
  if (!syntax.starts_with("1.2.840.10008.1.2.4.")) return;
  const std::vector<char> bytes = read_bytes(slice, slice.structure.pixel_bytes);
  const auto frame = coded_frame({bytes.data(), bytes.size()});
  const bool same = frame && frame->width == slice.columns && frame->height == slice.rows &&
                    frame->components == 1 && (frame->bits > 8) == (slice.cell.bits_allocated > 8);
  if (!same) throw damaged(slice.path, "its compressed image is not the one that its header describes");
}

std::vector<char> decode(const DicomSlice& slice, size_t bytes) {
  require_same_frame(slice);
  gdcm::ImageReader reader;
  reader.SetFileName(slice.path.c_str());
  if (!reader.Read()) throw damaged(slice.path, "its pixel data is damaged or in an unknown encoding");
  const gdcm::Image& image = reader.GetImage();
  std::vector<char> stored(bytes);
  if (image.GetBufferLength() != bytes || !image.GetBuffer(stored.data())) {
    throw damaged(slice.path, "its pixel data cannot be decoded");
  }
  return stored;
}

// The stored pixels of one slice, row by row.
std::vector<char> read_pixels(const DicomSlice& slice) {
  const auto bytes = static_cast<size_t>(slice.rows * slice.columns * bytes_per_voxel(slice.cell.scalar()));
  std::vector<char> stored = slice.structure.encapsulated ? decode(slice, bytes) : read_raw(slice, bytes);
  keep_stored_bits(stored, slice.cell);
  return stored;
}

}  // namespace

std::array<double, 3> normal_of(const std::array<double, 6>& o) {
  return {o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]};
}

Scalar PixelCell::scalar() const {
  if (bits_allocated == 8) return is_signed ? Scalar::Int8 : Scalar::UInt8;
  if (bits_allocated == 16) return is_signed ? Scalar::Int16 : Scalar::UInt16;
  return is_signed ? Scalar::Int32 : Scalar::UInt32;
}

StoredRange PixelCell::range() const {
  if (is_signed) return {-std::ldexp(1.0, bits_stored - 1), std::ldexp(1.0, bits_stored - 1) - 1};
  return {0, std::ldexp(1.0, bits_stored) - 1};
}

void silence_gdcm() {
  static const bool once = [] {
    gdcm::Trace::DebugOff();
    gdcm::Trace::WarningOff();
    gdcm::Trace::ErrorOff();
    return true;
  }();
  static_cast<void>(once);
}

bool looks_like_dicom(const fs::path& file) {
  constexpr size_t preamble = 128;
  const std::string head = first_bytes(file, preamble + 4);
  if (head.size() == preamble + 4 && head.compare(preamble, 4, "DICM") == 0) return true;
  // without the preamble of PS3.10: the data set begins at once, with a low element of group 2 or 8, little
  // endian
  return head.size() >= 8 && (head[0] == 2 || head[0] == 8) && head[1] == 0 && head[3] == 0 &&
         head[2] <= 0x18;
}

std::optional<DicomSlice> read_slice(const fs::path& path) {
  DicomSlice slice;
  slice.path = path;
  slice.structure = dicom_structure(path);
  slice.file = read_header(path, slice.structure);
  const gdcm::DataSet& set = slice.set();
  if (!slice.structure.has_pixels && is_other_object(*slice.file)) return std::nullopt;
  if (!slice.structure.has_pixels) throw damaged(path, "it ends before its pixel data");
  require_grey_single_frame(path, set);
  slice.rows = binary(set, tag::rows()).value_or(0);
  slice.columns = binary(set, tag::columns()).value_or(0);
  slice.cell = read_cell(path, set);
  const bool encapsulated = slice.structure.encapsulated;
  require_plausible(path, {1, slice.rows, slice.columns}, slice.cell.scalar(),
                    encapsulated ? fs::file_size(path) : slice.structure.pixel_bytes,
                    encapsulated ? kAnyCodec : kUncompressed);
  slice.calibration = {number(set, tag::slope()).value_or(1), number(set, tag::intercept()).value_or(0)};
  if (slice.calibration.slope == 0) slice.calibration.slope = 1;  // meaningless, but seen in MR files
  if (const auto position = numbers(set, tag::position()); position.size() == 3) {
    slice.position_mm = {position[0], position[1], position[2]};
  }
  slice.orientation = read_orientation(set);
  return slice;
}

std::vector<char> read_stored(const DicomSlice& slice) {
  try {
    return read_pixels(slice);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw damaged(slice.path, e.what());
  }
}

void read_values(const DicomSlice& slice, float* values) {
  const std::vector<char> stored = read_stored(slice);
  to_values(stored.data(), slice.cell.scalar(), slice.calibration, slice.rows * slice.columns, values);
}

}  // namespace lucivox::formats
