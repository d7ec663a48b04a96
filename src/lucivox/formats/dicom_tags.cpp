#include <cmath>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/dicom_tags.h>

namespace lucivox::formats {
namespace {

std::string raw_bytes(const gdcm::DataSet& set, const gdcm::Tag& tag) {
  if (!set.FindDataElement(tag)) return {};
  const gdcm::ByteValue* bytes = set.GetDataElement(tag).GetByteValue();
  return bytes == nullptr ? std::string{} : std::string(bytes->GetPointer(), bytes->GetLength());
}

}  // namespace

std::string text(const gdcm::DataSet& set, const gdcm::Tag& tag) {
  const std::string cleaned = clean_text(raw_bytes(set, tag));
  const size_t first = cleaned.find_first_not_of(' ');
  return first == std::string::npos ? std::string{} : cleaned.substr(first);
}

std::vector<double> numbers(const gdcm::DataSet& set, const gdcm::Tag& tag) {
  std::vector<double> found;
  const std::string all = text(set, tag);
  const char* at = all.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const double value = std::strtod(at, &end);
    if (end == at || !std::isfinite(value)) return {};
    found.push_back(value);
    while (*end == ' ' || *end == '\\') ++end;
    at = end;
  }
  return found;
}

std::optional<double> number(const gdcm::DataSet& set, const gdcm::Tag& tag) {
  const std::vector<double> found = numbers(set, tag);
  return found.empty() ? std::nullopt : std::optional(found.front());
}

std::optional<int64_t> binary(const gdcm::DataSet& set, const gdcm::Tag& tag, bool is_signed) {
  const std::string bytes = raw_bytes(set, tag);
  if (bytes.size() < sizeof(uint16_t)) return std::nullopt;
  uint16_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return is_signed ? int64_t{static_cast<int16_t>(value)} : int64_t{value};
}

void set_text(gdcm::DataSet& set, const gdcm::Tag& tag, gdcm::VR::VRType vr, std::string value) {
  if (value.size() % 2 != 0) value += vr == gdcm::VR::UI ? '\0' : ' ';
  gdcm::DataElement element(tag);
  element.SetVR(vr);
  element.SetByteValue(value.data(), static_cast<uint32_t>(value.size()));
  set.Replace(element);
}

void set_binary(gdcm::DataSet& set, const gdcm::Tag& tag, uint16_t value) {
  gdcm::DataElement element(tag);
  element.SetVR(gdcm::VR::US);
  element.SetByteValue(reinterpret_cast<const char*>(&value), sizeof value);
  set.Replace(element);
}

std::string decimal_string(double value) {
  constexpr size_t longest = 16;
  std::string text = fmt::format("{}", value);
  for (int digits = 16; text.size() > longest; --digits) text = fmt::format("{:.{}g}", value, digits);
  return text;
}

std::string decimal_strings(const std::vector<double>& values) {
  std::string all;
  for (const double value : values) {
    if (!all.empty()) all += '\\';
    all += decimal_string(value);
  }
  return all;
}

}  // namespace lucivox::formats
