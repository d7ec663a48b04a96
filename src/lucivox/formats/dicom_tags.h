#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gdcmDataSet.h>
#include <gdcmTag.h>
#include <gdcmVR.h>

// Elements of a DICOM data set as text and numbers (PS3.5 section 6.2: value representations).
namespace lucivox::formats {

namespace tag {
inline constexpr uint16_t kPixelGroup = 0x7FE0;
#define LUCIVOX_TAG(name, group, element) \
  inline gdcm::Tag name() {               \
    return gdcm::Tag(group, element);     \
  }
LUCIVOX_TAG(image_type, 0x0008, 0x0008)
LUCIVOX_TAG(instance_creation_date, 0x0008, 0x0012)
LUCIVOX_TAG(instance_creation_time, 0x0008, 0x0013)
LUCIVOX_TAG(sop_class, 0x0008, 0x0016)
LUCIVOX_TAG(sop_instance, 0x0008, 0x0018)
LUCIVOX_TAG(modality, 0x0008, 0x0060)
LUCIVOX_TAG(series_description, 0x0008, 0x103E)
LUCIVOX_TAG(referenced_sop_class, 0x0008, 0x1150)
LUCIVOX_TAG(referenced_sop_instance, 0x0008, 0x1155)
LUCIVOX_TAG(derivation_description, 0x0008, 0x2111)
LUCIVOX_TAG(source_images, 0x0008, 0x2112)
LUCIVOX_TAG(slice_thickness, 0x0018, 0x0050)
LUCIVOX_TAG(spacing_between_slices, 0x0018, 0x0088)
LUCIVOX_TAG(imager_pixel_spacing, 0x0018, 0x1164)
LUCIVOX_TAG(study_instance, 0x0020, 0x000D)
LUCIVOX_TAG(series_instance, 0x0020, 0x000E)
LUCIVOX_TAG(series_number, 0x0020, 0x0011)
LUCIVOX_TAG(instance_number, 0x0020, 0x0013)
LUCIVOX_TAG(position, 0x0020, 0x0032)
LUCIVOX_TAG(orientation, 0x0020, 0x0037)
LUCIVOX_TAG(samples_per_pixel, 0x0028, 0x0002)
LUCIVOX_TAG(photometric, 0x0028, 0x0004)
LUCIVOX_TAG(frames, 0x0028, 0x0008)
LUCIVOX_TAG(rows, 0x0028, 0x0010)
LUCIVOX_TAG(columns, 0x0028, 0x0011)
LUCIVOX_TAG(pixel_spacing, 0x0028, 0x0030)
LUCIVOX_TAG(bits_allocated, 0x0028, 0x0100)
LUCIVOX_TAG(bits_stored, 0x0028, 0x0101)
LUCIVOX_TAG(high_bit, 0x0028, 0x0102)
LUCIVOX_TAG(pixel_representation, 0x0028, 0x0103)
LUCIVOX_TAG(padding, 0x0028, 0x0120)
LUCIVOX_TAG(intercept, 0x0028, 0x1052)
LUCIVOX_TAG(slope, 0x0028, 0x1053)
LUCIVOX_TAG(rescale_type, 0x0028, 0x1054)
LUCIVOX_TAG(pixel_data, kPixelGroup, 0x0010)
#undef LUCIVOX_TAG
}  // namespace tag

// Text without its padding, "A\B" for several values; empty when the element is absent.
std::string text(const gdcm::DataSet& set, const gdcm::Tag& tag);
// The numbers of a decimal or integer string (DS, IS); empty when absent or not numbers.
std::vector<double> numbers(const gdcm::DataSet& set, const gdcm::Tag& tag);
// The first number that is finite, if there is one.
std::optional<double> number(const gdcm::DataSet& set, const gdcm::Tag& tag);
// A 16-bit binary number (US, or SS when `is_signed`).
std::optional<int64_t> binary(const gdcm::DataSet& set, const gdcm::Tag& tag, bool is_signed = false);

void set_text(gdcm::DataSet& set, const gdcm::Tag& tag, gdcm::VR::VRType vr, std::string value);
void set_binary(gdcm::DataSet& set, const gdcm::Tag& tag, uint16_t value);
// As a decimal string: at most 16 characters (PS3.5 table 6.2-1), as precise as these allow.
std::string decimal_string(double value);
std::string decimal_strings(const std::vector<double>& values);

}  // namespace lucivox::formats
