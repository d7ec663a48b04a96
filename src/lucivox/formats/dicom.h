#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gdcmFile.h>
#include <gdcmSmartPointer.h>

#include <lucivox/formats/dicom_structure.h>
#include <lucivox/image/image.h>
#include <lucivox/image/pixels.h>

// One slice of a DICOM series, and what the reader of a series hands to the writer.
namespace lucivox::formats {

// How a pixel lies in its cell (PS3.5 section 8.1.1).
struct PixelCell {
  int bits_allocated = 16, bits_stored = 16, high_bit = 15;
  bool is_signed = false;

  Scalar scalar() const;
  StoredRange range() const;  // of the stored bits
  bool operator==(const PixelCell&) const = default;
};

struct DicomSlice {
  std::filesystem::path path;
  gdcm::SmartPointer<gdcm::File> file;  // the data set in front of the pixel data
  DicomStructure structure;
  int64_t rows = 0, columns = 0;
  PixelCell cell;
  Calibration calibration;
  std::optional<std::array<double, 3>> position_mm;
  std::array<double, 6> orientation{1, 0, 0, 0, 1, 0};

  const gdcm::DataSet& set() const { return file->GetDataSet(); }
};

// The unit vector across the slices: row direction x column direction.
std::array<double, 3> normal_of(const std::array<double, 6>& orientation);

// Reads the header of a slice; nothing when the file is DICOM but no image. Throws Error when it is damaged,
// in colour or of several frames.
std::optional<DicomSlice> read_slice(const std::filesystem::path& path);
// Its pixels [rows, columns] as cell.scalar(), and into `values`, rescaled. Throws Error.
std::vector<char> read_stored(const DicomSlice& slice);
void read_values(const DicomSlice& slice, float* values);

// The slices of a series in the order of the image's Z axis.
struct DicomHeader : NativeHeader {
  std::vector<DicomSlice> slices;
};

// Storage classes (PS3.4 annex B.5).
inline constexpr const char* kCtImageStorage = "1.2.840.10008.5.1.4.1.1.2";
inline constexpr const char* kSecondaryCaptureStorage = "1.2.840.10008.5.1.4.1.1.7";

// GDCM writes its warnings to standard error; ours are Errors.
void silence_gdcm();

}  // namespace lucivox::formats
