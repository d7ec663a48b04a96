#include <algorithm>
#include <cctype>
#include <string_view>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/kind.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

struct Extension {
  const char* text;
  Kind kind;
};

constexpr Extension kExtensions[] = {
    {".dcm", Kind::Dicom}, {".nii", Kind::Nifti},     {".nii.gz", Kind::Nifti},  {".nrrd", Kind::Nrrd},
    {".nhdr", Kind::Nrrd}, {".mha", Kind::MetaImage}, {".mhd", Kind::MetaImage}, {".png", Kind::Png},
    {".tif", Kind::Tiff},  {".tiff", Kind::Tiff},     {".h5", Kind::Hdf5},       {".hdf5", Kind::Hdf5},
    {".hdf", Kind::Hdf5}};

}  // namespace

std::string to_string(Kind kind) {
  switch (kind) {
    case Kind::Dicom:
      return "DICOM";
    case Kind::DicomSeries:
      return "DICOM series";
    case Kind::Nifti:
      return "NIfTI";
    case Kind::Nrrd:
      return "NRRD";
    case Kind::MetaImage:
      return "MetaImage";
    case Kind::Png:
      return "PNG";
    case Kind::Tiff:
      return "TIFF";
    case Kind::Hdf5:
      break;
  }
  return "HDF5";
}

std::string extension_of(const fs::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with(".nii.gz") ? ".nii.gz" : fs::path(name).extension().string();
}

std::vector<std::string> known_extensions() {
  std::vector<std::string> all;
  for (const Extension& known : kExtensions) all.emplace_back(known.text);
  return all;
}

std::optional<Kind> kind_by_name(const fs::path& file) {
  const std::string extension = extension_of(file);
  for (const Extension& known : kExtensions) {
    if (extension == known.text) return known.kind;
  }
  return std::nullopt;
}

std::optional<Kind> kind_by_content(const fs::path& file) {
  constexpr size_t nifti_magic_at = 344;
  const std::string head = first_bytes(file, nifti_magic_at + 4);
  const auto begins = [&](std::string_view magic) { return head.starts_with(magic); };
  using namespace std::string_view_literals;
  if (begins("\x89HDF\r\n\x1a\n"sv)) return Kind::Hdf5;
  if (begins("\x89PNG\r\n\x1a\n"sv)) return Kind::Png;
  if (begins("II*\0"sv) || begins("MM\0*"sv) || begins("II+\0"sv) || begins("MM\0+"sv)) return Kind::Tiff;
  if (begins("NRRD"sv)) return Kind::Nrrd;
  if (head.size() > nifti_magic_at && (head.substr(nifti_magic_at) == "n+1\0"sv)) return Kind::Nifti;
  if (begins("\x1f\x8b"sv) && extension_of(file) == ".nii.gz") return Kind::Nifti;
  if (head.find("NDims") != std::string::npos && kind_by_name(file) == Kind::MetaImage)
    return Kind::MetaImage;
  if (looks_like_dicom(file)) return Kind::Dicom;
  return std::nullopt;
}

}  // namespace lucivox::formats
