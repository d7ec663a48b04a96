#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/dicom_structure.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

constexpr uint32_t kUndefinedLength = 0xFFFFFFFF;
constexpr uint32_t kItem = 0xFFFEE000, kItemEnd = 0xFFFEE00D, kSequenceEnd = 0xFFFEE0DD;
constexpr uint32_t kPixelData = 0x7FE00010, kTransferSyntax = 0x00020010;

// How elements are encoded (PS3.5 chapter 10).
struct Encoding {
  bool is_explicit = true, little_endian = true;
};

struct Element {
  uint32_t tag = 0;  // group << 16 | element
  std::string vr;    // empty when implicit
  uint32_t length = 0;
  uint64_t begin = 0, value = 0;  // where the element and its value start
};

// Whether `vr` is one of a list of pairs of letters with a blank between.
bool is_in(std::string_view list, std::string_view vr) {
  for (size_t at = 0; at < list.size(); at += 3) {
    if (list.substr(at, 2) == vr) return true;
  }
  return false;
}

bool has_long_length(std::string_view vr) {
  return is_in("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr);
}

bool is_known(std::string_view vr) {
  return has_long_length(vr) || is_in("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US", vr);
}

class Walker {
 public:
  explicit Walker(const fs::path& path)
      : path_(path), stream_(path, std::ios::binary), size_(fs::file_size(path)) {}

  DicomStructure walk() {
    constexpr uint64_t preamble = 128, magic = 4;
    const bool has_preamble = size_ >= preamble + magic && bytes(preamble, magic) == "DICM";
    const uint64_t data_set = walk_meta(has_preamble ? preamble + magic : 0);
    // a file without meta information does not name its encoding
    const Encoding encoding = named_.value_or(Encoding{looks_explicit(data_set), true});
    found_.little_endian = encoding.little_endian;
    found_.header_bytes = size_;
    walk_data_set(data_set, encoding);
    return found_;
  }

 private:
  [[noreturn]] void fail(uint64_t at, std::string_view why) const {
    throw damaged(path_, fmt::format("{} at byte {}", why, at));
  }

  std::string bytes(uint64_t at, uint64_t count) {
    if (at > size_ || count > size_ - at) fail(at, "its DICOM data breaks off");
    std::string read(count, '\0');
    stream_.seekg(static_cast<std::streamoff>(at));
    if (!stream_.read(read.data(), static_cast<std::streamsize>(count))) fail(at, "it cannot be read");
    return read;
  }

  uint32_t number(std::string_view part, bool little_endian) const {
    uint32_t value = 0;
    for (size_t i = 0; i < part.size(); ++i) {
      value = value << 8 | static_cast<unsigned char>(part[little_endian ? part.size() - 1 - i : i]);
    }
    return value;
  }

  bool looks_explicit(uint64_t at) {
    const std::string head = bytes(at, 8);
    return is_known(std::string_view(head).substr(4, 2));
  }

  Element element_at(uint64_t at, uint64_t end, const Encoding& encoding) {
    Element element;
    element.begin = at;
    const std::string head = bytes(at, 8);
    const std::string_view view(head);
    element.tag = number(view.substr(0, 2), encoding.little_endian) << 16 |
                  number(view.substr(2, 2), encoding.little_endian);
    element.value = at + 8;
    const bool delimiter = element.tag == kItem || element.tag == kItemEnd || element.tag == kSequenceEnd;
    if (!encoding.is_explicit || delimiter) {
      element.length = number(view.substr(4), encoding.little_endian);
    } else {
      element.vr = head.substr(4, 2);
      if (!is_known(element.vr)) fail(at, "an element has no known value representation");
      if (has_long_length(element.vr)) {
        element.length = number(bytes(at + 8, 4), encoding.little_endian);
        element.value = at + 12;
      } else {
        element.length = number(view.substr(6), encoding.little_endian);
      }
    }
    const bool fits =
        element.value <= end && (element.length == kUndefinedLength || element.length <= end - element.value);
    if (!fits)
      fail(at, fmt::format("the element ({:04X},{:04X}) reaches beyond its end", element.tag >> 16,
                           element.tag & 0xFFFF));
    return element;
  }

  // Group 2 is explicit and little endian whatever follows (PS3.10 section 7.1).
  uint64_t walk_meta(uint64_t at) {
    uint32_t last = 0;
    while (number(bytes(at, 2), true) == 2) {
      const Element element = element_at(at, size_, {true, true});
      if (element.length == kUndefinedLength || element.tag <= last) fail(at, "its DICOM header is damaged");
      if (element.tag == kTransferSyntax)
        named_ = encoding_of(clean_text(bytes(element.value, element.length)));
      last = element.tag;
      at = element.value + element.length;
    }
    return at;
  }

  Encoding encoding_of(const std::string& syntax) const {
    if (syntax == "1.2.840.10008.1.2.1.99") {
      throw Error(path_.string() + " is a deflated DICOM file, which is not supported",
                  "convert it to explicit little endian, for example with DCMTK's dcmconv +te");
    }
    if (!syntax.starts_with("1.2.840.10008.1.2")) {
      throw damaged(path_, fmt::format("its transfer syntax '{}' is unknown", syntax));
    }
    return {syntax != "1.2.840.10008.1.2", syntax != "1.2.840.10008.1.2.2"};
  }

  void walk_data_set(uint64_t at, const Encoding& encoding) {
    uint32_t last = 0;
    while (at < size_) {
      const Element element = element_at(at, size_, encoding);
      if (element.tag <= last) fail(at, "the elements are out of order");
      last = element.tag;
      if (element.tag == kPixelData) {
        note_pixels(element);
        if (!found_.encapsulated) return;  // what follows concerns nobody
      }
      at = element.tag == kPixelData ? end_of_fragments(element.value, encoding)
                                     : end_of(element, size_, encoding, 0);
    }
  }

  void note_pixels(const Element& element) {
    found_.has_pixels = true;
    found_.header_bytes = element.begin;
    found_.encapsulated = element.length == kUndefinedLength;
    found_.pixel_offset = element.value;
    found_.pixel_bytes = found_.encapsulated ? 0 : element.length;
  }

  // Behind an element, having walked over what it contains.
  uint64_t end_of(const Element& element, uint64_t end, const Encoding& encoding, int depth) {
    constexpr int deepest = 32;
    if (depth > deepest) fail(element.begin, "sequences are nested too deeply");
    const bool undefined = element.length == kUndefinedLength;
    if (!undefined && element.vr != "SQ") return element.value + element.length;
    // an unknown element of undefined length is an implicit sequence (PS3.5 section 6.2.2)
    const Encoding inner = element.vr == "UN" ? Encoding{false, true} : encoding;
    return end_of_items(element.value, undefined ? end : element.value + element.length, undefined, inner,
                        depth);
  }

  uint64_t end_of_items(uint64_t at, uint64_t end, bool delimited, const Encoding& encoding, int depth) {
    while (at < end) {
      const Element item = element_at(at, end, encoding);
      if (item.tag == kSequenceEnd && delimited) return item.value;
      if (item.tag != kItem) fail(at, "a sequence holds something else than items");
      const bool undefined = item.length == kUndefinedLength;
      at = end_of_item(item.value, undefined ? end : item.value + item.length, undefined, encoding, depth);
    }
    if (delimited) fail(at, "a sequence has no end");
    return at;
  }

  uint64_t end_of_item(uint64_t at, uint64_t end, bool delimited, const Encoding& encoding, int depth) {
    uint32_t last = 0;
    while (at < end) {
      const Element element = element_at(at, end, encoding);
      if (element.tag == kItemEnd && delimited) return element.value;
      if (element.tag <= last || element.tag >= kItem) fail(at, "the elements of an item are out of order");
      last = element.tag;
      at = end_of(element, end, encoding, depth + 1);
    }
    if (delimited) fail(at, "an item has no end");
    return at;
  }

  // The first item is a table of offsets, the second the first fragment (PS3.5 annex A.4).
  uint64_t end_of_fragments(uint64_t at, const Encoding& encoding) {
    for (int item = 0;; ++item) {
      const Element fragment = element_at(at, size_, encoding);
      if (fragment.tag == kSequenceEnd && item > 1) return fragment.value;
      if (fragment.tag != kItem || fragment.length == kUndefinedLength) {
        fail(at, "its compressed pixel data is damaged");
      }
      if (item == 1) {
        found_.pixel_offset = fragment.value;
        found_.pixel_bytes = fragment.length;
      }
      at = fragment.value + fragment.length;
    }
  }

  const fs::path& path_;
  std::ifstream stream_;
  uint64_t size_;
  std::optional<Encoding> named_;
  DicomStructure found_;
};

}  // namespace

DicomStructure dicom_structure(const fs::path& path) {
  return Walker(path).walk();
}

}  // namespace lucivox::formats
