#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <lucivox/base/files.h>
#include <lucivox/formats/kind.h>
#include <lucivox/image/image.h>

namespace lucivox {

// What a derived image says about where it came from. DICOM gets new series and instance UIDs, ImageType
// DERIVED and `description` as its DerivationDescription; other formats keep it where they have a place.
struct Derivation {
  std::string description;  // "Enhanced by lucivox 0.1.0 with model ddnet-chest"; empty: an original image
};

// Opens an image by what it is, not only by its name:
//   a folder                        one DICOM series, sorted by position; strays (folder.h) are left out
//   .dcm, or a DICOM by content     that slice
//   .nii .nii.gz .nrrd .nhdr .mha .mhd  volumes
//   .tif .tiff                      grey pages of one size; the calibration "c0=", "c1=" of an ImageJ
//                                   description is applied: value = c0 + c1 * stored
//                                   (signed 16 bits: stored + 32768); the pixels of "images=" pages may
//                                   also follow a single directory
//   .png                            grey slice
//   .h5 .hdf5 .hdf                  the data set "images", "/exchange/data", or the only 2D or 3D one;
//                                   "file.h5:/group/name" names another
// Throws Error when it is missing, truncated, in colour, empty, or (a folder) does not hold one series. A
// source may be read from several threads; NaN that the file holds is returned.
std::unique_ptr<ImageSource> open(const std::filesystem::path& path);

// The files or the folder that an image is read from: "scan.h5" of "scan.h5:/images", and besides a header
// also the file of voxels that it names. Throws Error when a file cannot be read.
std::vector<std::filesystem::path> files_of_image(const std::filesystem::path& path);

// An image of the kind that `path` names (as above, except the two-file .nhdr and .mhd; no extension: a DICOM
// series in a new folder of that name) with the shape, type, geometry and header of `info`. What came from a
// reader of the same kind keeps its native header. Formats without slope and intercept (NRRD, MetaImage,
// HDF5) hold the values themselves: Hounsfield units as int16, other scaled integers as float32. Throws Error
// when the kind cannot hold it, when a value written is not finite, and at commit() when a voxel is missing;
// and (misuse) when the folder of a series is not empty and may not be replaced.
std::unique_ptr<ImageSink> create(const std::filesystem::path& path, const ImageInfo& info,
                                  const Derivation& derivation = {}, Existing existing = Existing::Refuse);
// The same, of a given kind whatever its name.
std::unique_ptr<ImageSink> create(const std::filesystem::path& path, formats::Kind kind,
                                  const ImageInfo& info, const Derivation& derivation = {},
                                  Existing existing = Existing::Refuse);

}  // namespace lucivox
