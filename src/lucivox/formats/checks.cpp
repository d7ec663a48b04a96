#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/formats/checks.h>

namespace lucivox::formats {
namespace {

// Bytes of the UTF-8 character at the head of `text`; 0 when it is none.
size_t utf8_length(std::string_view text) {
  const auto head = static_cast<unsigned char>(text[0]);
  const size_t length = head < 0x80                   ? 1
                        : head >= 0xC2 && head < 0xE0 ? 2
                        : (head & 0xF0) == 0xE0       ? 3
                        : (head & 0xF8) == 0xF0       ? 4
                                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  const std::string_view tail = text.substr(1, length - 1);
  return std::all_of(tail.begin(), tail.end(),
                     [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; })
             ? length
             : 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string from_latin1(std::string_view text) {
  std::string utf8;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x80) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xC0 | (code >> 6));
      utf8 += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return utf8;
}

}  // namespace

Error damaged(const std::filesystem::path& path, std::string_view why) {
  return Error(fmt::format("cannot read {}: {}", path.string(), why),
               "the file may be damaged or incompletely copied: fetch it again from where it came");
}

Error in_colour(const std::filesystem::path& path) {
  return Error(fmt::format("{} is a colour image; lucivox reads grey images only", path.string()),
               "save it as a grey image first");
}

void require_plausible(const std::filesystem::path& path, const std::array<int64_t, 3>& shape, Scalar scalar,
                       uint64_t file_bytes, double expansion) {
  double bytes = static_cast<double>(bytes_per_voxel(scalar));
  for (const int64_t length : shape) {
    if (length < 1)
      throw damaged(path, fmt::format("its header gives a size of [{}] voxels", fmt::join(shape, ", ")));
    bytes *= static_cast<double>(length);
  }
  if (!(bytes <= expansion * static_cast<double>(file_bytes))) {
    throw damaged(path, fmt::format("its header promises [{}] voxels of {}, more than its {} bytes can hold",
                                    fmt::join(shape, ", "), to_string(scalar), file_bytes));
  }
}

std::string first_bytes(const std::filesystem::path& file, size_t count) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(count, '\0');
  if (!stream) throw Error("cannot read " + file.string(), "check its permissions");
  stream.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  return bytes;
}

std::string clean_text(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  const size_t last = text.find_last_not_of(" \t\r\n");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  return is_utf8(text) ? std::string(text) : from_latin1(text);
}

}  // namespace lucivox::formats
