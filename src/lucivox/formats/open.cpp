#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/folder.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/open.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

using namespace formats;

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
    case Kind::DicomSeries:
      return open_dicom_series(image_folder(place.file));
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
                                       const Derivation& derivation, Existing existing) {
  switch (kind) {
    case Kind::Dicom:
    case Kind::DicomSeries:
      return create_dicom(place.file, info, derivation, existing);
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
  if (fs::is_directory(place.file)) return open_kind(Kind::DicomSeries, place);
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
  const bool folder = kind == Kind::Dicom || kind == Kind::DicomSeries;
  std::error_code ignored;
  if (!folder && fs::is_directory(path, ignored)) {
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

std::vector<fs::path> files_of_image(const fs::path& path) {
  const Place place = split(path);
  std::error_code missing;
  if (!fs::is_regular_file(place.file, missing)) return {place.file};
  const auto kind = kind_by_content(place.file);
  if (kind != Kind::Nrrd && kind != Kind::MetaImage) return {place.file};
  return {place.file, itk_data_file(place.file)};
}

std::unique_ptr<ImageSink> create(const fs::path& path, const ImageInfo& info, const Derivation& derivation,
                                  Existing existing) {
  const Place place = split(path);
  const Kind kind = kind_to_create(place.file);
  require_sound(place.file, kind, info);
  return create_kind(kind, place, info, derivation, existing);
}

std::unique_ptr<ImageSink> create(const fs::path& path, Kind kind, const ImageInfo& info,
                                  const Derivation& derivation, Existing existing) {
  require_sound(path, kind, info);
  return create_kind(kind, {path, ""}, info, derivation, existing);
}

}  // namespace lucivox
