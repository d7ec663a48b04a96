#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <lucivox/formats/folder.h>
#include <lucivox/formats/open.h>
#include <lucivox/image/image.h>
#include <lucivox/image/projections.h>

// The readers and writers behind open() and create(), one format a file. All of them: throw Error when a file
// is damaged or cannot hold the image, print nothing, and give sources whose read() may be called from
// several threads.
namespace lucivox::formats {

// dicom_read.cpp, dicom_write.cpp
bool looks_like_dicom(const std::filesystem::path& file);
std::unique_ptr<ImageSource> open_dicom(const std::filesystem::path& file);
std::unique_ptr<ImageSource> open_dicom_series(const ImageFolder& folder);
std::unique_ptr<ImageSink> create_dicom(const std::filesystem::path& path, const ImageInfo& info,
                                        const Derivation& derivation, Existing existing);

// nifti.cpp
std::unique_ptr<ImageSource> open_nifti(const std::filesystem::path& file);
std::unique_ptr<ImageSink> create_nifti(const std::filesystem::path& file, const ImageInfo& info,
                                        const Derivation& derivation);

// itk.cpp
enum class ItkKind { Nrrd, MetaImage };
// The file that holds the voxels: `file` itself, or the one that its header names. Throws Error when missing.
std::filesystem::path itk_data_file(const std::filesystem::path& file);
std::unique_ptr<ImageSource> open_itk(const std::filesystem::path& file, ItkKind kind);
std::unique_ptr<ImageSink> create_itk(const std::filesystem::path& file, ItkKind kind, const ImageInfo& info,
                                      const Derivation& derivation);

// png.cpp
std::unique_ptr<ImageSource> open_png(const std::filesystem::path& file);
std::unique_ptr<ImageSink> create_png(const std::filesystem::path& file, const ImageInfo& info);

// tiff.cpp, tiff_write.cpp
std::unique_ptr<ImageSource> open_tiff(const std::filesystem::path& file);
std::unique_ptr<ImageSink> create_tiff(const std::filesystem::path& file, const ImageInfo& info,
                                       const Derivation& derivation);

// tiff_folder.cpp: the TIFFs of a folder, a slice each, in natural order of their names
std::unique_ptr<ImageSource> open_tiff_folder(const std::filesystem::path& folder);

// raw.cpp: voxels [Z, Y, X] without a header
struct RawLayout {
  std::array<int64_t, 3> shape{0, 0, 0};
  Scalar scalar = Scalar::UInt16;
  bool big_endian = false;
  int64_t offset = 0;  // bytes before the first voxel
};
std::unique_ptr<ImageSource> open_raw(const std::filesystem::path& file, const RawLayout& layout);

// hdf5.cpp; `data_set` is empty when the path named none
std::unique_ptr<ImageSource> open_hdf5(const std::filesystem::path& file, const std::string& data_set);
std::unique_ptr<ImageSink> create_hdf5(const std::filesystem::path& file, const std::string& data_set,
                                       const ImageInfo& info, const Derivation& derivation);

// dxchange.cpp
bool looks_like_dxchange(const std::filesystem::path& file);
std::unique_ptr<ProjectionSource> open_dxchange(const std::filesystem::path& file);

// scan_description.cpp
std::unique_ptr<ProjectionSource> open_described(const std::filesystem::path& description);
std::vector<std::filesystem::path> files_of_description(const std::filesystem::path& description);

}  // namespace lucivox::formats
