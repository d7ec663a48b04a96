#pragma once

#include <cstdint>
#include <filesystem>

// Where the parts of a DICOM file lie.
namespace lucivox::formats {

struct DicomStructure {
  bool little_endian = true;
  bool has_pixels = false;
  bool encapsulated = false;  // the pixel data is a sequence of compressed fragments
  uint64_t header_bytes = 0;  // what stands in front of the pixel data; all when there is none
  uint64_t pixel_offset = 0, pixel_bytes = 0;  // of the pixels, or of the first fragment when encapsulated
};

// Walks over all elements (PS3.5 chapter 7) without reading their values, into sequences and fragments.
// Throws Error unless every one of them lies inside of what contains it. GDCM is built with assertions in
// some distributions and trusts what it reads: it must see no file that has not passed here.
DicomStructure dicom_structure(const std::filesystem::path& path);

}  // namespace lucivox::formats
