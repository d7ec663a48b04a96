#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lucivox {

// Scalars that TensorBoard can plot while the run goes on: a file
// events.out.tfevents.<unix seconds>.<host name>.lucivox in the given folder, complete after every record.
class EventWriter {
 public:
  // Creates the folder and the file. Throws Error (disk full, no permission).
  explicit EventWriter(const std::filesystem::path& folder);

  // Appends one point of the curve `tag`, stored as float32. Throws Error.
  void scalar(const std::string& tag, int64_t step, double value);

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720, appendix B.4).
uint32_t crc32c(std::string_view bytes);

// One TFRecord: length (8 bytes), masked CRC of the length (4), payload, masked CRC of the payload (4), all
// little endian; masked(crc) = rotate_right(crc, 15) + 0xA282EAD8 (tensorflow/core/lib/io/record_writer.h).
std::string tf_record(std::string_view payload);

// The Event messages of tensorflow/core/util/event.proto in protobuf's wire format;
// `wall_time` in seconds since 1970.
std::string version_event(double wall_time);
std::string scalar_event(double wall_time, int64_t step, const std::string& tag, float value);

}  // namespace lucivox
