#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lucivox::formats {

// What the header of a compressed image says of itself.
struct CodedFrame {
  int64_t width = 0, height = 0;
  int bits = 0, components = 0;
};

// Reads the frame header of a JPEG or JPEG-LS (ISO 10918-1 annex B, ISO 14495-1 annex C) or JPEG 2000 (ISO
// 15444-1 annex A) code stream; nothing when `bytes` is none or ends before it.
std::optional<CodedFrame> coded_frame(std::string_view bytes);

}  // namespace lucivox::formats
