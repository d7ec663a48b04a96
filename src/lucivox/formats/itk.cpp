#include <algorithm>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <itkMetaDataObject.h>
#include <itkMetaImageIO.h>
#include <itkNrrdImageIO.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/staging.h>
#include <lucivox/formats/volume.h>
#include <lucivox/image/pixels.h>

// NRRD and MetaImage through ITK, whose space is LPS as ours.
namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

using Io = itk::ImageIOBase;

struct ItkType {
  itk::IOComponentEnum component;
  Scalar scalar;
};

constexpr ItkType kItkTypes[] = {
    {itk::IOComponentEnum::UCHAR, Scalar::UInt8},      {itk::IOComponentEnum::CHAR, Scalar::Int8},
    {itk::IOComponentEnum::USHORT, Scalar::UInt16},    {itk::IOComponentEnum::SHORT, Scalar::Int16},
    {itk::IOComponentEnum::UINT, Scalar::UInt32},      {itk::IOComponentEnum::INT, Scalar::Int32},
    {itk::IOComponentEnum::ULONGLONG, Scalar::UInt64}, {itk::IOComponentEnum::LONGLONG, Scalar::Int64},
    {itk::IOComponentEnum::FLOAT, Scalar::Float32},    {itk::IOComponentEnum::DOUBLE, Scalar::Float64}};

std::string name_of(ItkKind kind) {
  return kind == ItkKind::Nrrd ? "NRRD" : "MetaImage";
}

constexpr char kVoxelSize[] = "VoxelSize", kUnknown[] = "unknown";  // an entry of ours

Io::Pointer make_io(ItkKind kind) {
  itk::Object::GlobalWarningDisplayOff();
  if (kind == ItkKind::Nrrd) return itk::NrrdImageIO::New().GetPointer();
  return itk::MetaImageIO::New().GetPointer();
}

// MetaIO tells its troubles to std::cerr before ITK throws them.
class QuietErrors {
 public:
  QuietErrors() : buffer_(std::cerr.rdbuf(nullptr)) {}
  ~QuietErrors() { std::cerr.rdbuf(buffer_); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;

 private:
  std::streambuf* buffer_;
};

// "ITK ERROR: NrrdImageIO(0x55..): no header" -> "no header"
std::string reason(const itk::ExceptionObject& failure) {
  std::string line = clean_text(failure.GetDescription());
  line = line.substr(0, line.find('\n'));
  const size_t object = line.find("): ");
  return object == std::string::npos ? line : line.substr(object + 3);
}

// Calls `body`; the reason when ITK throws.
template <typename Body>
std::optional<std::string> call_itk(const Body& body) {
  static std::mutex one_at_a_time;  // they share std::cerr
  const std::lock_guard lock(one_at_a_time);
  const QuietErrors quiet;
  try {
    body();
  } catch (const itk::ExceptionObject& failure) {
    return reason(failure);
  }
  return std::nullopt;
}

template <typename Body>
void reading(const fs::path& file, ItkKind kind, const Body& body) {
  const std::optional<std::string> failure = call_itk(body);
  if (failure) throw damaged(file, fmt::format("it is no whole {} file ({})", name_of(kind), *failure));
}

// ---- the text in front of the voxels, for what ITK does not tell ----

struct TextHeader {
  std::map<std::string, std::string> entries;  // "key = value" or "key: value"
  uint64_t end = 0;                            // where the voxels begin when they are in the same file
};

TextHeader read_text_header(const fs::path& file) {
  TextHeader header;
  std::ifstream stream(file, std::ios::binary);
  for (std::string line; std::getline(stream, line) && !clean_text(line).empty();) {
    const size_t sign = line.find_first_of(":=");
    if (sign == std::string::npos) continue;
    const std::string key = clean_text(line.substr(0, sign));
    const size_t value = line.find_first_not_of(" :=", sign);
    header.entries[key] = value == std::string::npos ? "" : clean_text(line.substr(value));
    if (key == "ElementDataFile") break;  // the last line of a MetaImage header
  }
  header.end = stream.good() ? static_cast<uint64_t>(stream.tellg()) : fs::file_size(file);
  return header;
}

std::string entry(const TextHeader& header, const std::string& key) {
  const auto found = header.entries.find(key);
  return found == header.entries.end() ? "" : found->second;
}

bool stores_voxel_size(const TextHeader& header, const ImageInfo& info) {
  const auto ours = info.header.find(kVoxelSize);
  if (ours != info.header.end() && ours->second == kUnknown) return false;
  const auto written = [&](const char* key) { return header.entries.contains(key); };
  return written("space directions") || written("spacings") || written("ElementSpacing") ||
         written("ElementSize");
}

// The file itself, or the one that its header names.
fs::path data_file(const fs::path& file, const TextHeader& header) {
  std::string name = entry(header, "ElementDataFile");
  for (const char* key : {"data file", "datafile"}) name += entry(header, key);
  if (name.empty() || name == "LOCAL") return file;
  fs::path data = file.parent_path() / name;
  if (!fs::is_regular_file(data))
    throw damaged(file, fmt::format("its data file {} is missing", data.string()));
  return data;
}

// MetaIO takes voxels that a truncated file lacks for zeros; NRRD's reader does not.
void require_whole_meta_image(const fs::path& file, const TextHeader& header, int64_t voxel_bytes) {
  const fs::path data = data_file(file, header);
  const bool compressed = entry(header, "CompressedData") == "True";
  const uint64_t needed = compressed ? std::strtoull(entry(header, "CompressedDataSize").c_str(), nullptr, 10)
                                     : static_cast<uint64_t>(voxel_bytes);
  const uint64_t begin = data == file ? header.end : 0;
  if (fs::file_size(data) < begin || fs::file_size(data) - begin < needed) {
    throw damaged(file, "it is truncated: voxels are missing");
  }
}

// ---- reading ----

void require_grey_volume(const fs::path& file, const Io& io) {
  if (io.GetPixelType() == itk::IOPixelEnum::RGB || io.GetPixelType() == itk::IOPixelEnum::RGBA)
    throw in_colour(file);
  if (io.GetNumberOfComponents() != 1) {
    throw Error(fmt::format("{} has {} numbers a voxel; lucivox reads grey images only", file.string(),
                            io.GetNumberOfComponents()),
                "split it into one image a component");
  }
  for (unsigned axis = 3; axis < io.GetNumberOfDimensions(); ++axis) {
    if (io.GetDimensions(axis) > 1) {
      throw Error(fmt::format("{} holds {} volumes; lucivox reads one volume a file", file.string(),
                              io.GetDimensions(axis)),
                  "split it into one file a volume");
    }
  }
}

Scalar scalar_of(const fs::path& file, const Io& io) {
  for (const ItkType& type : kItkTypes) {
    if (type.component == io.GetComponentType()) return type.scalar;
  }
  throw Error(file.string() + " has voxels of a type that is not supported",
              "convert it to an integer of at most 32 bits or to floating point");
}

void read_geometry(const Io& io, ImageInfo& info) {
  const unsigned axes = std::min(io.GetNumberOfDimensions(), 3U);
  for (unsigned axis = 0; axis < axes; ++axis) {
    info.shape[2 - axis] = static_cast<int64_t>(io.GetDimensions(axis));
    info.spacing_mm[axis] = io.GetSpacing(axis);
    info.origin_mm[axis] = io.GetOrigin(axis);
    const std::vector<double> column = io.GetDirection(axis);
    for (unsigned row = 0; row < axes; ++row) info.direction[3 * row + axis] = column[row];
  }
}

// The entries that a person or another program put there; what describes the voxels is in the info already.
void read_entries(const itk::MetaDataDictionary& dictionary, ImageInfo& info) {
  for (const std::string& key : dictionary.GetKeys()) {
    if (key.starts_with("ITK_") || key.starts_with("NRRD_")) continue;
    std::string value;
    itk::ExposeMetaData<std::string>(dictionary, key, value);
    if (value = clean_text(value); !value.empty()) info.header[key] = value;
  }
}

std::vector<char> load(const fs::path& file, ItkKind kind) {
  const Io::Pointer io = make_io(kind);
  std::vector<char> stored;
  reading(file, kind, [&] {
    io->SetFileName(file.string());
    io->ReadImageInformation();
    itk::ImageIORegion everything(io->GetNumberOfDimensions());
    for (unsigned axis = 0; axis < io->GetNumberOfDimensions(); ++axis)
      everything.SetSize(axis, io->GetDimensions(axis));
    io->SetIORegion(everything);
    stored.resize(static_cast<size_t>(io->GetImageSizeInBytes()));
    io->Read(stored.data());
  });
  return stored;
}

// ---- writing ----

void set_geometry(Io& io, const ImageInfo& info) {
  itk::ImageIORegion everything(3);
  for (unsigned axis = 0; axis < 3; ++axis) {
    io.SetDimensions(axis, static_cast<size_t>(info.shape[2 - axis]));
    io.SetSpacing(axis, info.spacing_mm[axis]);
    io.SetOrigin(axis, info.origin_mm[axis]);
    io.SetDirection(
        axis, std::vector<double>{info.direction[axis], info.direction[3 + axis], info.direction[6 + axis]});
    everything.SetSize(axis, static_cast<size_t>(info.shape[2 - axis]));
  }
  io.SetIORegion(everything);
}

// What MetaIO gives a meaning of its own.
bool is_reserved(ItkKind kind, const std::string& key) {
  static const std::set<std::string> fields = {"ObjectType",
                                               "ObjectSubType",
                                               "NDims",
                                               "Name",
                                               "ID",
                                               "ParentID",
                                               "Color",
                                               "Comment",
                                               "Offset",
                                               "Position",
                                               "Origin",
                                               "AcquisitionDate",
                                               "Rotation",
                                               "Orientation",
                                               "DistanceUnits",
                                               "DimSize",
                                               "HeaderSize",
                                               "TransformMatrix",
                                               "Modality",
                                               "SequenceID",
                                               "CenterOfRotation",
                                               "AnatomicalOrientation"};
  if (kind != ItkKind::MetaImage) return false;
  return fields.contains(key) || key.starts_with("Element") || key.starts_with("Binary") ||
         key.starts_with("Compress");
}

void set_entries(Io& io, ItkKind kind, const ImageInfo& info, const Derivation& derivation) {
  std::map<std::string, std::string> entries = info.header;
  if (!info.spacing_known) entries[kVoxelSize] = kUnknown;  // the formats demand one
  if (!derivation.description.empty()) entries["DerivationDescription"] = derivation.description;
  for (const auto& [key, value] : entries) {
    const bool plain =
        std::all_of(key.begin(), key.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    const bool one_line = value.find_first_of("\r\n") == std::string::npos;
    if (plain && one_line && !is_reserved(kind, key)) {
      itk::EncapsulateMetaData<std::string>(io.GetMetaDataDictionary(), key, value);
    }
  }
}

bool encode(const fs::path& pending, ItkKind kind, const ImageInfo& info, const Derivation& derivation,
            const std::byte* stored) {
  const Io::Pointer io = make_io(kind);
  io->SetNumberOfDimensions(3);
  io->SetFileName(pending.string());
  io->SetPixelType(itk::IOPixelEnum::SCALAR);
  io->SetNumberOfComponents(1);
  for (const ItkType& type : kItkTypes) {
    if (type.scalar == info.scalar) io->SetComponentType(type.component);
  }
  io->SetUseCompression(false);
  set_geometry(*io, info);
  set_entries(*io, kind, info, derivation);
  const auto bytes = static_cast<uint64_t>(voxel_count(info) * bytes_per_voxel(info.scalar));
  const std::optional<std::string> failure = call_itk([&] {
    io->WriteImageInformation();
    io->Write(stored);
  });
  return !failure && fs::file_size(pending) > bytes;  // MetaIO's writer does not look
}

void require_one_file(const fs::path& file) {
  if (file.extension() != ".mhd" && file.extension() != ".nhdr") return;
  const fs::path whole = fs::path(file).replace_extension(file.extension() == ".mhd" ? ".mha" : ".nrrd");
  throw Error::misuse(fmt::format("{} would be a header with its voxels in a second file", file.string()),
                      fmt::format("write {}: the same format in one file", whole.filename().string()));
}

}  // namespace

fs::path itk_data_file(const fs::path& file) {
  return data_file(file, read_text_header(file));
}

std::unique_ptr<ImageSource> open_itk(const fs::path& file, ItkKind kind) {
  const Io::Pointer io = make_io(kind);
  reading(file, kind, [&] {
    io->SetFileName(file.string());
    io->ReadImageInformation();
  });
  require_grey_volume(file, *io);
  ImageInfo info;
  info.format = name_of(kind);
  info.scalar = scalar_of(file, *io);
  read_geometry(*io, info);
  read_entries(io->GetMetaDataDictionary(), info);
  const TextHeader header = read_text_header(file);
  info.spacing_known = stores_voxel_size(header, info);
  require_plausible(file, info.shape, info.scalar, fs::file_size(data_file(file, header)), kDeflate);
  if (kind == ItkKind::MetaImage) {
    require_whole_meta_image(file, header, voxel_count(info) * bytes_per_voxel(info.scalar));
  }
  return loaded_source(file.string(), std::move(info), [=] { return load(file, kind); });
}

std::unique_ptr<ImageSink> create_itk(const fs::path& file, ItkKind kind, const ImageInfo& info,
                                      const Derivation& derivation) {
  require_one_file(file);
  const ImageInfo stored_info = without_calibration(info);
  return staged_sink(file, stored_info, [=](const fs::path& pending, const std::byte* stored) {
    return encode(pending, kind, stored_info, derivation, stored);
  });
}

}  // namespace lucivox::formats
