#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <mutex>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <tiffio.h>

#include <lucivox/image/formats/checks.h>
#include <lucivox/image/formats/formats.h>
#include <lucivox/image/formats/random_access.h>
#include <lucivox/image/formats/staging.h>
#include <lucivox/image/formats/tiff_description.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

// libtiff tells a broken chain of pages from its end by a message only: it is noted instead of printed.
thread_local bool told_error = false;
void note_error(const char*, const char*, va_list) {
  told_error = true;
}

Tiff open_file(const fs::path& file, const char* mode) {
  TIFFSetErrorHandler(note_error);
  TIFFSetWarningHandler(nullptr);
  return Tiff(TIFFOpen(file.c_str(), mode));
}

template <typename Type>
Type field(TIFF* tiff, uint32_t tag, Type otherwise) {
  Type value{};
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : otherwise;
}

std::string text_field(TIFF* tiff, uint32_t tag) {
  const char* value = nullptr;
  return TIFFGetField(tiff, tag, &value) == 1 && value != nullptr ? value : "";
}

// The part of the header that only TIFF has.
struct TiffHeader : NativeHeader {
  std::string description;
  float x_resolution = 0, y_resolution = 0;  // pixels per unit; 0: not given
  uint16_t resolution_unit = RESUNIT_NONE;
  std::array<double, 3> spacing_mm{1, 1, 1};  // as these tags tell it
};

// One page cut into blocks: its tiles, or its strips as tiles of full width.
struct Page {
  uint64_t offset = 0;
  int64_t width = 0, height = 0;
  int64_t block_width = 0, block_height = 0;
  uint16_t bits = 0, format = 0;
  bool tiled = false;
  bool plain = false;  // strips of pixels as they are: any row can be read alone

  bool same_size(const Page& other) const {
    return width == other.width && height == other.height && bits == other.bits && format == other.format;
  }
};

// Rows [top, end) of a page from column `left` on, as many columns as a block has, in the type of the file.
struct Block {
  int64_t left = 0, top = 0, end = 0;
  std::vector<char> pixels;
};

std::optional<Scalar> scalar_of(const Page& page) {
  const bool is_signed = page.format == SAMPLEFORMAT_INT;
  if (page.format == SAMPLEFORMAT_IEEEFP) {
    if (page.bits == 32) return Scalar::Float32;
    if (page.bits == 64) return Scalar::Float64;
    return std::nullopt;
  }
  if (page.format != SAMPLEFORMAT_UINT && page.format != SAMPLEFORMAT_VOID && !is_signed) return std::nullopt;
  if (page.bits == 8) return is_signed ? Scalar::Int8 : Scalar::UInt8;
  if (page.bits == 16) return is_signed ? Scalar::Int16 : Scalar::UInt16;
  if (page.bits == 32) return is_signed ? Scalar::Int32 : Scalar::UInt32;
  return std::nullopt;
}

// ---- reading ----

Page read_page(TIFF* tiff, const fs::path& file) {
  const auto photometric = field<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  const bool grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  if (field<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1) != 1 || !grey) throw in_colour(file);
  Page page;
  page.offset = TIFFCurrentDirOffset(tiff);
  page.width = field<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  page.height = field<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  page.bits = field<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 0);
  page.format = field<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  page.tiled = TIFFIsTiled(tiff) != 0;
  page.block_width = page.tiled ? field<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0) : page.width;
  page.block_height = field<uint32_t>(tiff, page.tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, 0);
  if (!page.tiled) page.block_height = std::min(page.block_height, page.height);  // 2^32 - 1: one strip
  page.plain = !page.tiled &&
               field<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_NONE &&
               field<uint16_t>(tiff, TIFFTAG_FILLORDER, FILLORDER_MSB2LSB) == FILLORDER_MSB2LSB;
  return page;
}

void require_readable(TIFF* tiff, const Page& page, const fs::path& file) {
  const std::optional<Scalar> scalar = scalar_of(page);
  if (!scalar) {
    throw Error(
        fmt::format("{} has pixels of {} bits in a type that is not supported", file.string(), page.bits),
        "save it with 8, 16 or 32 bit integers, or 32 or 64 bit floating point");
  }
  const auto compression = field<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  if (TIFFIsCODECConfigured(compression) == 0) {
    throw Error(fmt::format("{} is compressed in a way (TIFF code {}) that this libtiff does not know",
                            file.string(), compression),
                "save it without compression, or with deflate");
  }
  const double expansion = compression == COMPRESSION_NONE ? kUncompressed : kAnyCodec;
  require_plausible(file, {1, page.height, page.width}, *scalar, fs::file_size(file), expansion);
  require_plausible(file, {1, page.block_height, page.block_width}, *scalar, fs::file_size(file), kAnyCodec);
}

// All pages of full resolution.
std::vector<Page> read_pages(TIFF* tiff, const fs::path& file) {
  std::vector<Page> pages;
  told_error = false;
  do {
    const bool thumbnail = (field<uint32_t>(tiff, TIFFTAG_SUBFILETYPE, 0) & FILETYPE_REDUCEDIMAGE) != 0;
    if (thumbnail && !pages.empty()) continue;
    pages.push_back(read_page(tiff, file));
    require_readable(tiff, pages.back(), file);
    if (pages.back().same_size(pages.front())) continue;
    throw Error(
        fmt::format("the pages of {} differ in size or type: page {} has {} x {} pixels, the first {} x {}",
                    file.string(), pages.size(), pages.back().width, pages.back().height, pages.front().width,
                    pages.front().height),
        "split it into files of one size each");
  } while (TIFFReadDirectory(tiff) != 0);
  if (told_error) throw damaged(file, fmt::format("it breaks off after page {}", pages.size()));
  return pages;
}

// Millimetres a pixel from pixels a unit. Printing resolutions that programs write unasked say nothing of a
// specimen.
std::optional<double> pixel_mm(float resolution, const TiffHeader& header, std::optional<double> unit_mm) {
  const bool default_dpi =
      header.resolution_unit == RESUNIT_INCH &&
      (resolution == 72 || resolution == 96 || resolution == 150 || resolution == 300 || resolution == 1);
  if (!unit_mm && header.resolution_unit == RESUNIT_CENTIMETER && resolution != 1) unit_mm = 10;
  if (!unit_mm && header.resolution_unit == RESUNIT_INCH && !default_dpi) unit_mm = 25.4;
  if (!unit_mm || !(resolution > 0) || !std::isfinite(resolution)) return std::nullopt;
  return *unit_mm / static_cast<double>(resolution);
}

void describe_spacing(const std::map<std::string, std::string>& entries, TiffHeader& header) {
  const std::optional<double> unit_mm = described_unit_mm(entries);
  header.spacing_mm[0] = pixel_mm(header.x_resolution, header, unit_mm).value_or(1);
  header.spacing_mm[1] = pixel_mm(header.y_resolution, header, unit_mm).value_or(header.spacing_mm[0]);
  const auto spacing = entries.find("spacing");
  if (unit_mm && spacing != entries.end())
    header.spacing_mm[2] = *unit_mm * std::abs(std::strtod(spacing->second.c_str(), nullptr));
  if (!(header.spacing_mm[2] > 0)) header.spacing_mm[2] = 1;
}

TiffHeader read_header(TIFF* tiff) {
  TiffHeader header;
  header.description = clean_text(text_field(tiff, TIFFTAG_IMAGEDESCRIPTION));
  TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &header.x_resolution);
  TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &header.y_resolution);
  header.resolution_unit = field<uint16_t>(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
  describe_spacing(described_entries(header.description), header);
  return header;
}

// ImageJ writes stacks of more than 4 GB as one page with all slices behind it.
void require_pages(const fs::path& file, const std::map<std::string, std::string>& entries, size_t pages) {
  const auto images = entries.find("images");
  if (images == entries.end() ||
      std::strtoll(images->second.c_str(), nullptr, 10) <= static_cast<long long>(pages))
    return;
  if (pages > 1) throw damaged(file, fmt::format("it has {} pages of {} images", pages, images->second));
  throw Error(fmt::format("{} holds {} images behind one page, which only ImageJ can read", file.string(),
                          images->second),
              "save it as BigTIFF or HDF5");
}

class TiffSource : public ImageSource {
 public:
  explicit TiffSource(fs::path file) : file_(std::move(file)), tiff_(open_file(file_, "r")), bytes_(file_) {
    if (!tiff_) throw damaged(file_, "it is no whole TIFF file");
    auto header = std::make_shared<TiffHeader>(read_header(tiff_.get()));
    const auto entries = described_entries(header->description);
    pages_ = read_pages(tiff_.get(), file_);
    require_pages(file_, entries, pages_.size());
    info_.shape = {static_cast<int64_t>(pages_.size()), pages_.front().height, pages_.front().width};
    info_.scalar = scalar_of(pages_.front()).value();
    info_.slope = described_calibration(entries).slope;
    info_.intercept = described_calibration(entries).intercept;
    const auto value_unit = entries.find("vunit");
    if (value_unit != entries.end() && value_unit->second == "HU") info_.units = Units::HU;
    info_.spacing_mm = header->spacing_mm;
    info_.header = entries;
    info_.format = "TIFF";
    info_.native = std::move(header);
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return file_.string(); }

  at::Tensor read(const Region& region) override {
    require_inside(region, info_, name());
    const std::lock_guard lock(mutex_);
    at::Tensor values = at::empty({region.size[0], region.size[1], region.size[2]}, at::kFloat);
    float* slice = values.mutable_data_ptr<float>();
    for (int64_t z = 0; z < region.size[0]; ++z, slice += region.size[1] * region.size[2]) {
      read_page_region(region.begin[0] + z, region, slice);
    }
    return values;
  }

 private:
  void read_page_region(int64_t z, const Region& region, float* slice) {
    const Page& page = pages_[static_cast<size_t>(z)];
    if (TIFFSetSubDirectory(tiff_.get(), page.offset) == 0)
      throw damaged(file_, fmt::format("page {} is damaged", z + 1));
    const int64_t across = (page.width + page.block_width - 1) / page.block_width;
    for (int64_t j = region.begin[1] / page.block_height;
         j * page.block_height < region.begin[1] + region.size[1]; ++j) {
      for (int64_t i = region.begin[2] / page.block_width;
           i * page.block_width < region.begin[2] + region.size[2]; ++i) {
        const int64_t top = j * page.block_height, end = std::min(top + page.block_height, page.height);
        Block block{i * page.block_width, top, end, {}};
        const auto index = static_cast<uint32_t>(j * across + i);
        const bool read = page.plain ? read_rows(page, index, region, block) : decode(page, index, block);
        if (!read) throw damaged(file_, fmt::format("page {} is truncated or damaged", z + 1));
        copy_overlap(page, region, block, slice);
      }
    }
  }

  // Cuts the strip to the rows of the region and reads these.
  bool read_rows(const Page& page, uint32_t index, const Region& region, Block& block) const {
    TIFF* tiff = tiff_.get();
    const int64_t row_bytes = page.width * bytes_per_voxel(info_.scalar), strip_top = block.top;
    block.top = std::max(block.top, region.begin[1]);
    block.end = std::min(block.end, region.begin[1] + region.size[1]);
    const uint64_t offset = TIFFGetStrileOffset(tiff, index);
    const auto needed = static_cast<uint64_t>((block.end - strip_top) * row_bytes);
    if (offset > fs::file_size(file_) || TIFFGetStrileByteCount(tiff, index) < needed) return false;
    block.pixels.resize(static_cast<size_t>((block.end - block.top) * row_bytes));
    const auto first = static_cast<int64_t>(offset) + (block.top - strip_top) * row_bytes;
    if (!bytes_.read(first, block.pixels)) return false;
    if (TIFFIsByteSwapped(tiff) != 0)
      swap_bytes(block.pixels, static_cast<size_t>(bytes_per_voxel(info_.scalar)));
    return true;
  }

  // Some decoders take what is missing at the end of a file for zeros: the block must lie inside of the file.
  bool decode(const Page& page, uint32_t index, Block& block) {
    TIFF* tiff = tiff_.get();
    const uint64_t end = TIFFGetStrileOffset(tiff, index) + TIFFGetStrileByteCount(tiff, index);
    if (TIFFGetStrileByteCount(tiff, index) == 0 || end > fs::file_size(file_)) return false;
    block.pixels.resize(page.tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff));
    const auto size = static_cast<tmsize_t>(block.pixels.size());
    const tmsize_t done = page.tiled ? TIFFReadEncodedTile(tiff, index, block.pixels.data(), size)
                                     : TIFFReadEncodedStrip(tiff, index, block.pixels.data(), size);
    const int64_t rows = page.tiled ? page.block_height : block.end - block.top;
    return done >= rows * page.block_width * bytes_per_voxel(info_.scalar);
  }

  // Copies what of a block lies in the region.
  void copy_overlap(const Page& page, const Region& region, const Block& block, float* slice) const {
    const int64_t x0 = std::max(block.left, region.begin[2]);
    const int64_t x1 =
        std::min({block.left + page.block_width, page.width, region.begin[2] + region.size[2]});
    const int64_t y0 = std::max(block.top, region.begin[1]);
    const int64_t y1 = std::min(block.end, region.begin[1] + region.size[1]);
    for (int64_t y = y0; y < y1; ++y) {
      const int64_t from = (y - block.top) * page.block_width + x0 - block.left;
      float* row = slice + (y - region.begin[1]) * region.size[2] + x0 - region.begin[2];
      to_values(block.pixels.data() + from * bytes_per_voxel(info_.scalar), info_.scalar,
                calibration_of(info_), x1 - x0, row);
    }
  }

  fs::path file_;
  Tiff tiff_;
  RandomAccessFile bytes_;
  std::mutex mutex_;
  std::vector<Page> pages_;
  ImageInfo info_;
};

// ---- writing ----

uint16_t sample_format(Scalar scalar) {
  if (is_float(scalar)) return SAMPLEFORMAT_IEEEFP;
  return range_of(scalar).low < 0 ? SAMPLEFORMAT_INT : SAMPLEFORMAT_UINT;
}

// The source's resolution where it still tells the spacing, else pixels per mm as ImageJ has it.
void set_resolution(TIFF* tiff, const ImageInfo& info, const TiffHeader* source) {
  if (source != nullptr && source->spacing_mm == info.spacing_mm && source->x_resolution > 0) {
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, static_cast<double>(source->x_resolution));
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, static_cast<double>(source->y_resolution));
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, source->resolution_unit);
  } else if (info.spacing_mm != ImageInfo{}.spacing_mm) {
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 1 / info.spacing_mm[0]);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 1 / info.spacing_mm[1]);
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
  }
}

uint32_t rows_per_strip(const ImageInfo& info) {
  constexpr int64_t strip_bytes = 1 << 20;  // few enough strips, small enough to read a part of a page
  const int64_t rows = strip_bytes / (info.shape[2] * bytes_per_voxel(info.scalar));
  return static_cast<uint32_t>(std::clamp<int64_t>(rows, 1, info.shape[1]));
}

void set_layout(TIFF* tiff, const ImageInfo& info) {
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(info.shape[2]));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(info.shape[1]));
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<uint16_t>(8 * bytes_per_voxel(info.scalar)));
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, sample_format(info.scalar));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, rows_per_strip(info));
}

bool write_page(TIFF* tiff, const ImageInfo& info, const std::byte* stored) {
  const int64_t row_bytes = info.shape[2] * bytes_per_voxel(info.scalar);
  const int64_t strip_rows = rows_per_strip(info);
  for (int64_t row = 0; row < info.shape[1]; row += strip_rows) {
    const int64_t rows = std::min(strip_rows, info.shape[1] - row);
    auto* strip =
        const_cast<std::byte*>(stored + row * row_bytes);  // libtiff does not write to it: our byte order
    if (TIFFWriteEncodedStrip(tiff, static_cast<uint32_t>(row / strip_rows), strip, rows * row_bytes) < 0)
      return false;
  }
  return TIFFWriteDirectory(tiff) != 0;
}

bool encode(const fs::path& pending, const ImageInfo& info, const std::string& derivation,
            const std::byte* stored) {
  const auto* source = dynamic_cast<const TiffHeader*>(info.native.get());
  const int64_t page_bytes = info.shape[1] * info.shape[2] * bytes_per_voxel(info.scalar);
  constexpr int64_t classic_limit =
      int64_t{4'000'000'000};  // offsets have 32 bits; the rest is for directories
  const Tiff tiff = open_file(pending, info.shape[0] * (page_bytes + 1024) > classic_limit ? "w8" : "w");
  bool written = tiff != nullptr;
  for (int64_t z = 0; written && z < info.shape[0]; ++z) {
    set_layout(tiff.get(), info);
    set_resolution(tiff.get(), info, source);
    const std::string text =
        z > 0 ? "" : description_for(info, source == nullptr ? "" : source->description, derivation);
    if (!text.empty()) TIFFSetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, text.c_str());
    written = write_page(tiff.get(), info, stored + z * page_bytes);
  }
  return written && TIFFFlush(tiff.get()) != 0;
}

}  // namespace

std::unique_ptr<ImageSource> open_tiff(const fs::path& file) {
  return std::make_unique<TiffSource>(file);
}

std::unique_ptr<ImageSink> create_tiff(const fs::path& file, const ImageInfo& info,
                                       const Derivation& derivation) {
  return staged_sink(file, info,
                     [info, text = derivation.description](const fs::path& pending, const std::byte* stored) {
                       return encode(pending, info, text, stored);
                     });
}

}  // namespace lucivox::formats
