#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <vector>

#include <tiff.h>

#include <lucivox/formats/formats.h>
#include <lucivox/formats/staging.h>
#include <lucivox/formats/tiff_description.h>
#include <lucivox/formats/tiff_header.h>
#include <lucivox/formats/tiff_write.h>
#include <lucivox/formats/volume.h>
#include <lucivox/image/pixels.h>

// libtiff cannot write the pixels of several pages without a gap, so the directories are made here.
namespace lucivox::formats {
namespace {

static_assert(std::endian::native == std::endian::little);  // "II", and voxels as they are in memory

constexpr size_t kAlignment = 16;  // of directories and pixels

template <typename Number>
std::string memory_of(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The sizes in which the two kinds differ.
struct Widths {
  size_t offset, count;  // of an offset, and of the number of fields in a directory
};

Widths widths_of(TiffKind kind) {
  return kind == TiffKind::Big ? Widths{8, 8} : Widths{4, 2};
}

// Little-endian numbers shorten by leaving out their last bytes.
std::string integer(uint64_t value, size_t width) {
  return memory_of(value).substr(0, width);
}

void align(std::string& bytes) {
  bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
}

struct TiffField {
  uint16_t tag;
  TIFFDataType type;
  uint64_t count;
  std::string value;
};

TiffField short_field(uint16_t tag, int64_t value) {
  return {tag, TIFF_SHORT, 1, memory_of(static_cast<uint16_t>(value))};
}

TiffField long_field(uint16_t tag, int64_t value) {
  return {tag, TIFF_LONG, 1, memory_of(static_cast<uint32_t>(value))};
}

TiffField offset_field(uint16_t tag, uint64_t value, TiffKind kind) {
  const size_t width = widths_of(kind).offset;
  return {tag, width == 8 ? TIFF_LONG8 : TIFF_LONG, 1, integer(value, width)};
}

TiffField ascii_field(uint16_t tag, const std::string& text) {
  return {tag, TIFF_ASCII, text.size() + 1, text + '\0'};
}

// As a fraction of 32 bits over a power of two.
TiffField rational_field(uint16_t tag, double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  const double denominator = std::ldexp(1.0, std::clamp(31 - exponent, 0, 31));
  const double numerator = std::clamp(std::round(value * denominator), 1.0,
                                      static_cast<double>(std::numeric_limits<uint32_t>::max()));
  return {tag, TIFF_RATIONAL, 1,
          memory_of(static_cast<uint32_t>(numerator)) + memory_of(static_cast<uint32_t>(denominator))};
}

// A directory that begins at `start`, with the values that do not fit into its fields behind it.
std::string directory_bytes(const std::vector<TiffField>& fields, TiffKind kind, uint64_t start,
                            uint64_t next) {
  const auto [offset, count] = widths_of(kind);
  const size_t length = count + fields.size() * (4 + 2 * offset) + offset;
  std::string table = integer(fields.size(), count), behind;
  for (const TiffField& field : fields) {
    table += integer(field.tag, 2) + integer(field.type, 2) + integer(field.count, offset);
    std::string value = field.value;
    if (value.size() > offset) {
      value = integer(start + length + behind.size(), offset);
      behind += field.value;
      behind.resize(behind.size() + behind.size() % 2);  // offsets are even
    }
    value.resize(offset);
    table += value;
  }
  std::string whole = table + integer(next, offset) + behind;
  align(whole);
  return whole;
}

std::string file_header(TiffKind kind) {
  std::string header = kind == TiffKind::Big
                           ? "II" + integer(43, 2) + integer(8, 2) + integer(0, 2) + integer(kAlignment, 8)
                           : "II" + integer(42, 2) + integer(kAlignment, 4);
  align(header);
  return header;
}

int sample_format(Scalar scalar) {
  if (is_float(scalar)) return SAMPLEFORMAT_IEEEFP;
  return range_of(scalar).low < 0 ? SAMPLEFORMAT_INT : SAMPLEFORMAT_UINT;
}

uint64_t bytes_per_page(const ImageInfo& info) {
  return static_cast<uint64_t>(info.shape[1] * info.shape[2] * bytes_per_voxel(info.scalar));
}

struct Resolution {
  double x = 0, y = 0;  // pixels per unit
  int unit = RESUNIT_NONE;
};

// Pixels per mm as in ImageJ, whose description names the unit. Where the spacing is not known, the source's
// resolution, which is then that of a printer or a screen.
Resolution resolution_of(const ImageInfo& info) {
  if (info.spacing_known) return {1 / info.spacing_mm[0], 1 / info.spacing_mm[1]};
  const auto* source = dynamic_cast<const TiffHeader*>(info.native.get());
  if (source == nullptr) return {};
  return {static_cast<double>(source->x_resolution), static_cast<double>(source->y_resolution),
          source->resolution_unit};
}

void add_resolution(std::vector<TiffField>& fields, const ImageInfo& info) {
  const Resolution resolution = resolution_of(info);
  for (const double value : {resolution.x, resolution.y}) {
    if (!(value > 0) || !std::isfinite(value)) return;
  }
  fields.push_back(rational_field(TIFFTAG_XRESOLUTION, resolution.x));
  fields.push_back(rational_field(TIFFTAG_YRESOLUTION, resolution.y));
  fields.push_back(short_field(TIFFTAG_RESOLUTIONUNIT, resolution.unit));
}

// One strip, as in ImageJ, of pixels at `pixels`. Fields are in the order of their tags.
std::vector<TiffField> page_fields(const ImageInfo& info, TiffKind kind, const std::string& description,
                                   uint64_t pixels) {
  std::vector<TiffField> fields{long_field(TIFFTAG_IMAGEWIDTH, info.shape[2]),
                                long_field(TIFFTAG_IMAGELENGTH, info.shape[1]),
                                short_field(TIFFTAG_BITSPERSAMPLE, 8 * bytes_per_voxel(info.scalar)),
                                short_field(TIFFTAG_COMPRESSION, COMPRESSION_NONE),
                                short_field(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK)};
  if (!description.empty()) fields.push_back(ascii_field(TIFFTAG_IMAGEDESCRIPTION, description));
  fields.push_back(offset_field(TIFFTAG_STRIPOFFSETS, pixels, kind));
  fields.push_back(short_field(TIFFTAG_SAMPLESPERPIXEL, 1));
  fields.push_back(long_field(TIFFTAG_ROWSPERSTRIP, info.shape[1]));
  fields.push_back(offset_field(TIFFTAG_STRIPBYTECOUNTS, bytes_per_page(info), kind));
  add_resolution(fields, info);
  fields.push_back(short_field(TIFFTAG_SAMPLEFORMAT, sample_format(info.scalar)));
  return fields;
}

std::string description_of(const ImageInfo& info, TiffKind kind, const std::string& derivation) {
  const auto* source = dynamic_cast<const TiffHeader*>(info.native.get());
  return description_for(info, source == nullptr ? "" : source->description, derivation,
                         kind == TiffKind::Classic);
}

// Everything before the pixels.
std::string front_of(const ImageInfo& info, TiffKind kind, const std::string& derivation) {
  const std::string description = description_of(info, kind, derivation);
  const auto page = [&](bool first, uint64_t pixels, uint64_t start, uint64_t next) {
    return directory_bytes(page_fields(info, kind, first ? description : "", pixels), kind, start, next);
  };
  std::string front = file_header(kind);
  const auto pages = static_cast<uint64_t>(info.shape[0]);
  const uint64_t first_size = page(true, 0, 0, 0).size(), size = page(false, 0, 0, 0).size();
  const uint64_t pixels = front.size() + first_size + (pages - 1) * size;
  for (uint64_t z = 0; z < pages; ++z) {
    const uint64_t start = front.size(), end = start + (z == 0 ? first_size : size);
    front += page(z == 0, pixels + z * bytes_per_page(info), start, z + 1 < pages ? end : 0);
  }
  return front;
}

// ImageJ applies no calibration to floating point numbers: they are stored as the values themselves.
ImageInfo info_to_store(ImageInfo info) {
  if (is_float(info.scalar)) {
    info.slope = 1;
    info.intercept = 0;
  }
  return info;
}

}  // namespace

TiffKind tiff_kind(const ImageInfo& info) {
  constexpr uint64_t limit = 4'000'000'000;  // offsets have 32 bits; the rest is for directories
  constexpr uint64_t directory_size = 1024;
  const auto pages = static_cast<uint64_t>(info.shape[0]);
  return pages * (bytes_per_page(info) + directory_size) > limit ? TiffKind::Big : TiffKind::Classic;
}

bool write_tiff(const std::filesystem::path& path, TiffKind kind, const ImageInfo& info,
                const std::string& derivation, const std::byte* stored) {
  const std::string front = front_of(info, kind, derivation);
  std::ofstream file(path, std::ios::binary);
  file.write(front.data(), std::ssize(front));
  file.write(reinterpret_cast<const char*>(stored), voxel_count(info) * bytes_per_voxel(info.scalar));
  file.close();
  return file.good();
}

std::unique_ptr<ImageSink> create_tiff(const std::filesystem::path& file, const ImageInfo& info,
                                       const Derivation& derivation) {
  const ImageInfo to_store = info_to_store(info);
  return staged_sink(file, to_store,
                     [to_store, text = derivation.description](const std::filesystem::path& pending,
                                                               const std::byte* stored) {
                       return write_tiff(pending, tiff_kind(to_store), to_store, text, stored);
                     });
}

}  // namespace lucivox::formats
