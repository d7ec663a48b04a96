#include <array>
#include <bit>
#include <chrono>

#include <fmt/format.h>
#include <unistd.h>

#include <lucivox/base/files.h>
#include <lucivox/train/tensorboard.h>

namespace lucivox {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    table[byte] = crc;
  }
  return table;
}

template <typename Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(Unsigned); ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xFF);
  return bytes;
}

std::string masked_crc(std::string_view bytes) {
  return little_endian(std::rotr(crc32c(bytes), 15) + 0xA282EAD8u);
}

// Protobuf's wire format: a field is its key, number * 8 + wire type, and then its value.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(uint64_t number, WireType type) {
  return varint(number << 3 | type);
}

std::string double_field(uint64_t number, double value) {
  return key(number, kFixed64) + little_endian(std::bit_cast<uint64_t>(value));
}

std::string float_field(uint64_t number, float value) {
  return key(number, kFixed32) + little_endian(std::bit_cast<uint32_t>(value));
}

std::string integer_field(uint64_t number, int64_t value) {
  return key(number, kVarint) + varint(static_cast<uint64_t>(value));
}

std::string bytes_field(uint64_t number, const std::string& value) {
  return key(number, kBytes) + varint(value.size()) + value;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~crc;
}

std::string tf_record(std::string_view payload) {
  const std::string length = little_endian(uint64_t{payload.size()});
  return length + masked_crc(length) + std::string(payload) + masked_crc(payload);
}

std::string version_event(double wall_time) {
  return double_field(1, wall_time) + bytes_field(3, "brain.Event:2");
}

std::string scalar_event(double wall_time, int64_t step, const std::string& tag, float value) {
  const std::string point = bytes_field(1, tag) + float_field(2, value);  // Summary.Value
  const std::string summary = bytes_field(1, point);
  return double_field(1, wall_time) + integer_field(2, step) + bytes_field(5, summary);
}

EventWriter::EventWriter(const std::filesystem::path& folder) {
  create_folder(folder);
  const double now = seconds_since_1970();
  path_ = folder / fmt::format("events.out.tfevents.{}.{}.lucivox", static_cast<int64_t>(now), host_name());
  append_file(path_, tf_record(version_event(now)));
}

void EventWriter::scalar(const std::string& tag, int64_t step, double value) {
  append_file(path_, tf_record(scalar_event(seconds_since_1970(), step, tag, static_cast<float>(value))));
}

}  // namespace lucivox
