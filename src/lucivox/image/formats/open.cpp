#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/image/formats/checks.h>
#include <lucivox/image/formats/formats.h>
#include <lucivox/image/formats/open.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

using namespace formats;

enum class Kind { Dicom, Nifti, Nrrd, MetaImage, Png, Tiff, Hdf5 };

struct Extension {
  const char* text;
  Kind kind;
};

constexpr Extension kExtensions[] = {
    {".dcm", Kind::Dicom}, {".nii", Kind::Nifti},     {".nii.gz", Kind::Nifti},  {".nrrd", Kind::Nrrd},
    {".nhdr", Kind::Nrrd}, {".mha", Kind::MetaImage}, {".mhd", Kind::MetaImage}, {".png", Kind::Png},
    {".tif", Kind::Tiff},  {".tiff", Kind::Tiff},     {".h5", Kind::Hdf5},       {".hdf5", Kind::Hdf5},
    {".hdf", Kind::Hdf5}};

std::string extension_of(const fs::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with(".nii.gz") ? ".nii.gz" : fs::path(name).extension().string();
}

std::optional<Kind> kind_by_name(const fs::path& path) {
  const std::string extension = extension_of(path);
  for (const Extension& known : kExtensions) {
    if (extension == known.text) return known.kind;
  }
  return std::nullopt;
}

std::optional<Kind> kind_by_content(const fs::path& path) {
  constexpr size_t nifti_magic_at = 344;
  const std::string head = first_bytes(path, nifti_magic_at + 4);
  const auto begins = [&](std::string_view magic) { return head.starts_with(magic); };
  using namespace std::string_view_literals;
  if (begins("\x89HDF\r\n\x1a\n"sv)) return Kind::Hdf5;
  if (begins("\x89PNG\r\n\x1a\n"sv)) return Kind::Png;
  if (begins("II*\0"sv) || begins("MM\0*"sv) || begins("II+\0"sv) || begins("MM\0+"sv)) return Kind::Tiff;
  if (begins("NRRD"sv)) return Kind::Nrrd;
  if (head.size() > nifti_magic_at && (head.substr(nifti_magic_at) == "n+1\0"sv)) return Kind::Nifti;
  if (begins("\x1f\x8b"sv) && extension_of(path) == ".nii.gz") return Kind::Nifti;
  if (head.find("NDims") != std::string::npos && kind_by_name(path) == Kind::MetaImage)
    return Kind::MetaImage;
  if (looks_like_dicom(path)) return Kind::Dicom;
  return std::nullopt;
}

std::vector<std::string> known_extensions() {
  std::vector<std::string> all;
  for (const Extension& known : kExtensions) all.emplace_back(known.text);
  return all;
}

std::string list_of_kinds() {
  return fmt::format("known are {} and, without extension, a folder of DICOM slices",
                     fmt::join(known_extensions(), ", "));
}

// "scan.h5:/exchange/data" -> the file and the data set in it.
struct Place {
  fs::path file;
  std::string data_set;
};

Place split(const fs::path& path) {
  const std::string text = path.string();
  const size_t colon = text.rfind(":/");
  if (colon == std::string::npos || kind_by_name(text.substr(0, colon)) != Kind::Hdf5) return {path, ""};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::unique_ptr<ImageSource> open_kind(Kind kind, const Place& place) {
  switch (kind) {
    case Kind::Dicom:
      return open_dicom(place.file);
    case Kind::Nifti:
      return open_nifti(place.file);
    case Kind::Nrrd:
      return open_itk(place.file, ItkKind::Nrrd);
    case Kind::MetaImage:
      return open_itk(place.file, ItkKind::MetaImage);
    case Kind::Png:
      return open_png(place.file);
    case Kind::Tiff:
      return open_tiff(place.file);
    case Kind::Hdf5:
      break;
  }
  return open_hdf5(place.file, place.data_set);
}

std::unique_ptr<ImageSink> create_kind(Kind kind, const Place& place, const ImageInfo& info,
                                       const Derivation& derivation) {
  switch (kind) {
    case Kind::Dicom:
      return create_dicom(place.file, info, derivation);
    case Kind::Nifti:
      return create_nifti(place.file, info, derivation);
    case Kind::Nrrd:
      return create_itk(place.file, ItkKind::Nrrd, info, derivation);
    case Kind::MetaImage:
      return create_itk(place.file, ItkKind::MetaImage, info, derivation);
    case Kind::Png:
      return create_png(place.file, info);
    case Kind::Tiff:
      return create_tiff(place.file, info, derivation);
    case Kind::Hdf5:
      break;
  }
  return create_hdf5(place.file, place.data_set, info, derivation);
}

std::unique_ptr<ImageSource> open_place(const Place& place) {
  require_exists(place.file, "image");
  if (fs::is_directory(place.file)) return open_dicom_series(place.file);
  if (fs::file_size(place.file) == 0) throw damaged(place.file, "the file is empty");
  if (const auto kind = kind_by_content(place.file)) return open_kind(*kind, place);
  throw Error(fmt::format("{} is not an image that lucivox can read", place.file.string()),
              kind_by_name(place.file) ? "its content is not what its name says: the file may be damaged"
                                       : list_of_kinds());
}

Kind kind_to_create(const fs::path& path) {
  if (extension_of(path).empty()) return Kind::Dicom;
  if (const auto kind = kind_by_name(path)) return *kind;
  const std::string near = nearest(extension_of(path), known_extensions());
  throw Error::misuse(fmt::format("{} has an unknown kind of image as its extension", path.string()),
                      (near.empty() ? "" : fmt::format("did you mean {}? ", near)) + list_of_kinds());
}

void require_sound(const fs::path& path, Kind kind, const ImageInfo& info) {
  for (const int64_t length : info.shape) {
    if (length < 1)
      throw Error(
          fmt::format("{} would be an image of [{}] voxels", path.string(), fmt::join(info.shape, ", ")));
  }
  if (kind != Kind::Dicom && fs::is_directory(path)) {
    throw Error::misuse(path.string() + " is a folder", "name a file in it");
  }
}

}  // namespace

std::unique_ptr<ImageSource> open(const fs::path& path) {
  try {
    return open_place(split(path));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {  // from a library, or of the file system
    throw damaged(path, failure.what());
  }
}

std::unique_ptr<ImageSink> create(const fs::path& path, const ImageInfo& info, const Derivation& derivation) {
  const Place place = split(path);
  const Kind kind = kind_to_create(place.file);
  require_sound(place.file, kind, info);
  return create_kind(kind, place, info, derivation);
}

}  // namespace lucivox
