#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <lucivox/image/image.h>

namespace lucivox {

// What a derived image says about where it came from. DICOM gets new series and instance UIDs, ImageType
// DERIVED and `description` as its DerivationDescription; other formats keep it where they have a place.
struct Derivation {
  std::string description;  // "Enhanced by lucivox 0.1.0 with model ddnet-chest"; empty: an original image
};

// Opens an image by what it is, not only by its name:
//   a folder                        one DICOM series
//   .dcm, or a DICOM by content     that slice
//   .nii .nii.gz .nrrd .nhdr .mha .mhd  volumes
//   .tif .tiff                      grey pages of one size; the calibration "c0=", "c1=" of an
//   ImageDescription is applied:
//                                   value = c0 + c1 * stored
//   .png                            grey slice
//   .h5 .hdf5 .hdf                  the data set "images", "/exchange/data", or the only 2D or 3D one;
//                                   "file.h5:/group/name" names another
// Throws Error when it is missing, truncated, in colour, empty, or (a folder) holds several series.
std::unique_ptr<ImageSource> open(const std::filesystem::path& path);

// An image of the kind that `path` names (as above; no extension: a DICOM series in a folder of that name)
// with the shape, type, geometry and header of `info`. Throws Error when the kind cannot hold it.
std::unique_ptr<ImageSink> create(const std::filesystem::path& path, const ImageInfo& info,
                                  const Derivation& derivation = {});

}  // namespace lucivox
