#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

namespace lucivox {

// How a file stores its voxels: value = slope * stored + intercept. What computes takes float32 values in
// physical units; labels and what is only passed on may be read and written as they are stored.
enum class Scalar { UInt8, Int8, UInt16, Int16, UInt32, Int32, UInt64, Int64, Float32, Float64 };

enum class Units {
  Unknown,
  HU,     // Hounsfield units: -1000 air, 0 water
  PerMm,  // linear attenuation, 1/mm
};

std::string to_string(Scalar scalar);
std::string to_string(Units units);

// What only one format understands (a DICOM data set, say) and hands from its reader to its writer.
struct NativeHeader {
  virtual ~NativeHeader() = default;
};

// Everything a file says besides its voxel values. Physical space is LPS, as in DICOM and ITK.
struct ImageInfo {
  std::array<int64_t, 3> shape{1, 1, 1};                       // Z, Y, X
  std::array<double, 3> spacing_mm{1, 1, 1};                   // X, Y, Z
  bool spacing_known = false;                                  // else 1 mm is assumed
  std::array<double, 3> origin_mm{0, 0, 0};                    // centre of the first voxel
  std::array<double, 9> direction{1, 0, 0, 0, 1, 0, 0, 0, 1};  // row-major; columns are the X, Y, Z axes
  Scalar scalar = Scalar::Float32;
  double slope = 1, intercept = 0;  // value = slope * stored + intercept
  Units units = Units::Unknown;
  std::optional<double> padding;              // the value (in units) of pixels outside the scan
  std::map<std::string, std::string> header;  // what else a person may want to see: "PatientID", "c0", ...
  std::string format;                         // "DICOM", "NIfTI", "TIFF", ...
  std::shared_ptr<const NativeHeader> native;
};

// Voxels [begin, begin + size) of an image, Z, Y, X.
struct Region {
  std::array<int64_t, 3> begin{0, 0, 0}, size{0, 0, 0};
};

inline Region whole(const ImageInfo& info) {
  return {{0, 0, 0}, info.shape};
}
inline Region slice(const ImageInfo& info, int64_t z) {
  return {{z, 0, 0}, {1, info.shape[1], info.shape[2]}};
}

// A readable image, opened but not necessarily loaded (formats/open.h opens one from a path).
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual const ImageInfo& info() const = 0;
  // A name for messages: its path.
  virtual std::string name() const = 0;
  // [z, y, x] as stored, of the type info().scalar. Throws Error when the file is damaged, the region lies
  // outside, or slices have calibrations of their own.
  virtual at::Tensor read_stored(const Region& region) = 0;
  // float32 [z, y, x] in info().units. Throws Error when the file is damaged or the region lies outside.
  virtual at::Tensor read(const Region& region);
};

// Where voxels go, region by region: a file that will be whole (ImageSink), or a store whose parts several
// processes write, each its own.
class VoxelSink {
 public:
  virtual ~VoxelSink() = default;
  // `values`: float32 [z, y, x] of the region's size, in the units of the info it was created with;
  // stored integers are rounded and saturated. Throws Error (disk full, region outside).
  virtual void write(const Region& region, const at::Tensor& values) = 0;
  // `stored`: as they are to be stored, in the type of the info it was created with. Throws Error as write()
  // does, and when the format stores another type.
  virtual void write_stored(const Region& region, const at::Tensor& stored) = 0;
};

// An image being written. It appears under its final name at commit(), whole or not at all.
class ImageSink : public VoxelSink {
 public:
  virtual void commit() = 0;
};

// A source over voxels in memory: phantoms, tests. `voxels`: float32 [Z, Y, X]; info.shape is set from it.
std::unique_ptr<ImageSource> memory_source(at::Tensor voxels, ImageInfo info = {},
                                           std::string name = "memory");

// Throws Error naming `image` when a value is NaN or infinite, with the count and the first place.
void require_finite(const at::Tensor& values, const std::string& image);
// Throws Error naming `image` unless the region lies inside.
void require_inside(const Region& region, const ImageInfo& info, const std::string& image);

}  // namespace lucivox
