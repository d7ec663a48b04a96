#include <lucivox/formats/codestream.h>

namespace lucivox::formats {
namespace {

constexpr int64_t kStartOfImage = 0xFFD8, kStartOfCodestream = 0xFF4F, kSize = 0xFF51;
constexpr int64_t kFirstSegment = 0xFFC0, kStartOfScan = 0xFFDA, kLastSegment = 0xFFFE;

// Big endian; 0 where `bytes` has ended.
int64_t number(std::string_view bytes, size_t at, size_t width) {
  int64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    value = value << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0);
  }
  return value;
}

bool is_frame_header(int64_t marker) {
  const bool tables_or_restart = marker == 0xFFC4 || marker == 0xFFC8 || marker == 0xFFCC;
  return marker == 0xFFF7 || (marker >= 0xFFC0 && marker <= 0xFFCF && !tables_or_restart);
}

// Follows the segments to the start of the scan: decoders stop at a chain that is broken.
std::optional<CodedFrame> jpeg_frame(std::string_view bytes) {
  std::optional<CodedFrame> frame;
  for (size_t at = 2; at + 10 <= bytes.size();) {
    const int64_t marker = number(bytes, at, 2), length = number(bytes, at + 2, 2);
    if (marker < kFirstSegment || marker > kLastSegment || length < 2) return std::nullopt;
    if (marker == kStartOfScan) return frame;
    if (is_frame_header(marker)) {
      frame =
          CodedFrame{number(bytes, at + 7, 2), number(bytes, at + 5, 2),
                     static_cast<int>(number(bytes, at + 4, 1)), static_cast<int>(number(bytes, at + 9, 1))};
    }
    at += 2 + static_cast<size_t>(length);
  }
  return std::nullopt;
}

// The size marker follows the start at once: reference grid, offsets, tiles, components.
std::optional<CodedFrame> jpeg2000_frame(std::string_view bytes) {
  constexpr size_t needed = 43;
  if (bytes.size() < needed || number(bytes, 2, 2) != kSize) return std::nullopt;
  return CodedFrame{number(bytes, 8, 4) - number(bytes, 16, 4), number(bytes, 12, 4) - number(bytes, 20, 4),
                    static_cast<int>(number(bytes, 42, 1) & 0x7F) + 1,
                    static_cast<int>(number(bytes, 40, 2))};
}

}  // namespace

std::optional<CodedFrame> coded_frame(std::string_view bytes) {
  if (number(bytes, 0, 2) == kStartOfImage) return jpeg_frame(bytes);
  if (number(bytes, 0, 2) == kStartOfCodestream) return jpeg2000_frame(bytes);
  return std::nullopt;
}

}  // namespace lucivox::formats
