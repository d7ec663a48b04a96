#include <algorithm>
#include <iostream>
#include <mutex>
#include <set>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <itkMetaDataObject.h>
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>
#include <itkPNGImageIO.h>
#include <nifti1_io.h>

#include <lucivox/image/formats/checks.h>
#include <lucivox/image/formats/formats.h>
#include <lucivox/image/formats/staging.h>
#include <lucivox/image/formats/voxel_data.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

using Io = itk::ImageIOBase;
using Component = itk::IOComponentEnum;

std::string name_of(ItkKind kind) {
  switch (kind) {
    case ItkKind::Nifti: return "NIfTI";
    case ItkKind::Nrrd: return "NRRD";
    case ItkKind::MetaImage: return "MetaImage";
    case ItkKind::Png: break;
  }
  return "PNG";
}

Io::Pointer make_io(ItkKind kind) {
  nifti_set_debug_level(0);
  itk::Object::GlobalWarningDisplayOff();
  switch (kind) {
    case ItkKind::Nifti: return itk::NiftiImageIO::New().GetPointer();
    case ItkKind::Nrrd: return itk::NrrdImageIO::New().GetPointer();
    case ItkKind::MetaImage: return itk::MetaImageIO::New().GetPointer();
    case ItkKind::Png: break;
  }
  return itk::PNGImageIO::New().GetPointer();
}

// ---- reading ----

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

template <typename Body>
void reading(const fs::path& file, ItkKind kind, const Body& body) {
  static std::mutex one_at_a_time;  // they share std::cerr
  const std::lock_guard lock(one_at_a_time);
  const QuietErrors quiet;
  try {
    body();
  } catch (const itk::ExceptionObject& failure) {
    throw damaged(file, fmt::format("it is no whole {} file ({})", name_of(kind), reason(failure)));
  }
}

std::optional<Scalar> scalar_of(Component component) {
  switch (component) {
    case Component::UCHAR: return Scalar::UInt8;
    case Component::CHAR: return Scalar::Int8;
    case Component::USHORT: return Scalar::UInt16;
    case Component::SHORT: return Scalar::Int16;
    case Component::UINT: return Scalar::UInt32;
    case Component::INT: return Scalar::Int32;
    case Component::FLOAT: return Scalar::Float32;
    case Component::DOUBLE: return Scalar::Float64;
    default: return std::nullopt;
  }
}

Component component_of(Scalar scalar) {
  switch (scalar) {
    case Scalar::UInt8: return Component::UCHAR;
    case Scalar::Int8: return Component::CHAR;
    case Scalar::UInt16: return Component::USHORT;
    case Scalar::Int16: return Component::SHORT;
    case Scalar::UInt32: return Component::UINT;
    case Scalar::Int32: return Component::INT;
    case Scalar::Float64: return Component::DOUBLE;
    case Scalar::Float32: break;
  }
  return Component::FLOAT;
}

void require_grey_volume(const fs::path& file, const Io& io) {
  if (io.GetPixelType() == itk::IOPixelEnum::RGB || io.GetPixelType() == itk::IOPixelEnum::RGBA) throw in_colour(file);
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

std::string entry(const itk::MetaDataDictionary& dictionary, const std::string& key) {
  std::string value;
  itk::ExposeMetaData<std::string>(dictionary, key, value);
  return clean_text(value);
}

// The entries that a person or another program put there; what describes the voxels is in the info already.
void read_header(const itk::MetaDataDictionary& dictionary, ImageInfo& info) {
  for (const std::string& key : dictionary.GetKeys()) {
    if (key.starts_with("ITK_") || key.starts_with("NRRD_")) continue;
    if (const std::string value = entry(dictionary, key); !value.empty()) info.header[key] = value;
  }
}

class ItkSource : public ImageSource {
 public:
  ItkSource(fs::path file, ItkKind kind) : file_(std::move(file)), kind_(kind), io_(make_io(kind)) {
    reading(file_, kind_, [&] {
      io_->SetFileName(file_.string());
      io_->ReadImageInformation();
    });
    require_grey_volume(file_, *io_);
    info_.format = name_of(kind_);
    read_geometry(*io_, info_);
    if (kind_ == ItkKind::Nifti) {
      describe_nifti();
    } else {
      describe_others();
    }
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return file_.string(); }

  at::Tensor read(const Region& region) override {
    require_inside(region, info_, name());
    const std::lock_guard lock(mutex_);
    // mostly compressed as a whole: the voxels are read once and kept
    if (stored_.empty()) stored_ = kind_ == ItkKind::Nifti ? load_nifti(file_, nifti_, voxel_count()) : load();
    at::Tensor values = at::empty({region.size[0], region.size[1], region.size[2]}, at::kFloat);
    float* row = values.mutable_data_ptr<float>();
    for (int64_t z = 0; z < region.size[0]; ++z) {
      for (int64_t y = 0; y < region.size[1]; ++y, row += region.size[2]) {
        const int64_t first = ((region.begin[0] + z) * info_.shape[1] + region.begin[1] + y) * info_.shape[2] + region.begin[2];
        to_values(stored_.data() + first * bytes_per_voxel(info_.scalar), info_.scalar, calibration_of(info_),
                  region.size[2], row);
      }
    }
    return values;
  }

 private:
  int64_t voxel_count() const { return info_.shape[0] * info_.shape[1] * info_.shape[2]; }

  void describe_nifti() {
    nifti_ = nifti_storage(file_);
    info_.scalar = nifti_.scalar;
    info_.slope = nifti_.calibration.slope;
    info_.intercept = nifti_.calibration.intercept;
    info_.header = nifti_.texts;
    require_plausible(file_, info_.shape, info_.scalar, fs::file_size(file_), kDeflate);
  }

  void describe_others() {
    const auto scalar = scalar_of(io_->GetComponentType());
    if (!scalar) throw damaged(file_, "its voxels have a type that is not supported");
    info_.scalar = *scalar;
    read_header(io_->GetMetaDataDictionary(), info_);
    const uint64_t bytes = fs::file_size(kind_ == ItkKind::Png ? file_ : data_file_of(file_));
    require_plausible(file_, info_.shape, info_.scalar, bytes, kDeflate);
    if (kind_ != ItkKind::MetaImage) return;
    require_whole_meta_image(file_, static_cast<uint64_t>(voxel_count() * bytes_per_voxel(info_.scalar)));
  }

  std::vector<char> load() {
    itk::ImageIORegion everything(io_->GetNumberOfDimensions());
    for (unsigned axis = 0; axis < io_->GetNumberOfDimensions(); ++axis) {
      everything.SetSize(axis, io_->GetDimensions(axis));
    }
    io_->SetIORegion(everything);
    std::vector<char> stored(static_cast<size_t>(io_->GetImageSizeInBytes()));
    reading(file_, kind_, [&] { io_->Read(stored.data()); });
    return stored;
  }

  fs::path file_;
  ItkKind kind_;
  Io::Pointer io_;
  ImageInfo info_;
  NiftiStorage nifti_;
  std::mutex mutex_;
  std::vector<char> stored_;
};

// ---- writing ----

void set_geometry(Io& io, const ImageInfo& info) {
  const unsigned axes = info.shape[0] == 1 && io.GetNumberOfDimensions() == 2 ? 2 : 3;
  itk::ImageIORegion everything(axes);
  for (unsigned axis = 0; axis < axes; ++axis) {
    io.SetDimensions(axis, static_cast<size_t>(info.shape[2 - axis]));
    io.SetSpacing(axis, info.spacing_mm[axis]);
    io.SetOrigin(axis, info.origin_mm[axis]);
    std::vector<double> column;
    for (unsigned row = 0; row < axes; ++row) column.push_back(info.direction[3 * row + axis]);
    io.SetDirection(axis, column);
    everything.SetSize(axis, static_cast<size_t>(info.shape[2 - axis]));
  }
  io.SetIORegion(everything);
}

// What MetaIO gives a meaning of its own.
bool is_reserved(ItkKind kind, const std::string& key) {
  static const std::set<std::string> fields = {
      "ObjectType", "ObjectSubType", "NDims", "Name", "ID", "ParentID", "AcquisitionDate", "Color", "Comment",
      "TransformMatrix", "Offset", "Position", "Origin", "Rotation", "Orientation", "CenterOfRotation", "DistanceUnits",
      "AnatomicalOrientation", "DimSize", "HeaderSize", "Modality", "SequenceID"};
  if (kind != ItkKind::MetaImage) return false;
  return fields.contains(key) || key.starts_with("Element") || key.starts_with("Binary") || key.starts_with("Compress");
}

bool is_one_line(const std::string& text) { return text.find_first_of("\r\n") == std::string::npos; }

void set_header(Io& io, ItkKind kind, const ImageInfo& info, const Derivation& derivation) {
  itk::MetaDataDictionary& dictionary = io.GetMetaDataDictionary();
  if (kind == ItkKind::Nifti) {
    const auto old = info.header.find("descrip");
    std::string text = derivation.description;
    if (old != info.header.end()) text += (text.empty() ? "" : "; ") + old->second;
    constexpr size_t longest = 79;  // nifti1.h: char descrip[80]
    itk::EncapsulateMetaData<std::string>(dictionary, "ITK_FileNotes", text.substr(0, longest));
    return;
  }
  for (const auto& [key, value] : info.header) {
    const bool plain_key = std::all_of(key.begin(), key.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (plain_key && is_one_line(value) && !is_reserved(kind, key)) itk::EncapsulateMetaData<std::string>(dictionary, key, value);
  }
  if (!derivation.description.empty() && is_one_line(derivation.description)) {
    itk::EncapsulateMetaData<std::string>(dictionary, "DerivationDescription", derivation.description);
  }
}

void encode(const fs::path& pending, ItkKind kind, const ImageInfo& info, const Derivation& derivation,
            const std::byte* stored) {
  const Io::Pointer io = make_io(kind);
  io->SetNumberOfDimensions(kind == ItkKind::Png ? 2 : 3);
  io->SetFileName(pending.string());
  io->SetPixelType(itk::IOPixelEnum::SCALAR);
  io->SetNumberOfComponents(1);
  io->SetComponentType(component_of(info.scalar));
  io->SetUseCompression(pending.extension() == ".gz");
  set_geometry(*io, info);
  set_header(*io, kind, info, derivation);
  if (auto* nifti = dynamic_cast<itk::NiftiImageIO*>(io.GetPointer())) {
    nifti->SetRescaleSlope(info.slope);
    nifti->SetRescaleIntercept(info.intercept);
  }
  try {
    io->WriteImageInformation();
    io->Write(stored);
  } catch (const itk::ExceptionObject& failure) {
    throw Error(fmt::format("cannot write {}: {}", pending.string(), reason(failure)),
                "check that the disk has space left");
  }
}

void require_png(const fs::path& file, const ImageInfo& info) {
  const bool fits = info.shape[0] == 1 && (info.scalar == Scalar::UInt8 || info.scalar == Scalar::UInt16) &&
                    is_identity(calibration_of(info));
  if (fits) return;
  throw Error(fmt::format("{}: PNG holds one slice of uint8 or uint16 without slope and intercept, not {} slices of {}",
                          file.string(), info.shape[0], to_string(info.scalar)),
              "write TIFF (.tif), which holds any of these");
}

void require_one_file(const fs::path& file) {
  const fs::path whole = fs::path(file).replace_extension(file.extension() == ".mhd" ? ".mha" : ".nrrd");
  if (file.extension() != ".mhd" && file.extension() != ".nhdr") return;
  throw Error::misuse(fmt::format("{} would be a header with its voxels in a second file", file.string()),
                      fmt::format("write {}: the same format in one file", whole.filename().string()));
}

}  // namespace

std::unique_ptr<ImageSource> open_itk(const fs::path& file, ItkKind kind) {
  return std::make_unique<ItkSource>(file, kind);
}

std::unique_ptr<ImageSink> create_itk(const fs::path& file, ItkKind kind, const ImageInfo& info,
                                      const Derivation& derivation) {
  require_one_file(file);
  if (kind == ItkKind::Png) require_png(file, info);
  const ImageInfo stored_info = kind == ItkKind::Nifti ? info : without_calibration(info);
  return staged_sink(file, stored_info, [=](const fs::path& pending, const std::byte* stored) {
    encode(pending, kind, stored_info, derivation, stored);
  });
}

}  // namespace lucivox::formats
