#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <mutex>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <tiffio.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/random_access.h>
#include <lucivox/formats/tiff_description.h>
#include <lucivox/formats/tiff_header.h>

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

Tiff open_file(const fs::path& file) {
  TIFFSetErrorHandler(note_error);
  TIFFSetWarningHandler(nullptr);
  return Tiff(TIFFOpen(file.c_str(), "rc"));  // c: strips as the file has them, not chopped
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

// One page cut into blocks: its tiles, or its strips as tiles of full width.
struct Page {
  uint64_t offset = 0;
  int64_t width = 0, height = 0;
  int64_t block_width = 0, block_height = 0;
  uint16_t bits = 0, format = 0;
  bool tiled = false;
  bool plain = false;  // strips of pixels as they are: any row can be read alone
  int64_t behind = 0;  // bytes between the strip and the pixels of this page

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
  if (page.bits == 64) return is_signed ? Scalar::Int64 : Scalar::UInt64;
  return std::nullopt;
}

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
        "save it with 8, 16, 32 or 64 bit integers, or 32 or 64 bit floating point");
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

void describe_spacing(const TiffHeader& header, ImageInfo& info) {
  const std::optional<double> unit_mm = described_unit_mm(info.header);
  const std::optional<double> x_mm = pixel_mm(header.x_resolution, header, unit_mm);
  info.spacing_known = x_mm.has_value();
  info.spacing_mm[0] = x_mm.value_or(1);
  info.spacing_mm[1] = pixel_mm(header.y_resolution, header, unit_mm).value_or(info.spacing_mm[0]);
  const auto spacing = info.header.find("spacing");
  if (unit_mm && spacing != info.header.end())
    info.spacing_mm[2] = *unit_mm * std::abs(std::strtod(spacing->second.c_str(), nullptr));
  if (!(info.spacing_mm[2] > 0)) info.spacing_mm[2] = 1;
}

TiffHeader read_header(TIFF* tiff) {
  TiffHeader header;
  header.description = clean_text(text_field(tiff, TIFFTAG_IMAGEDESCRIPTION));
  TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &header.x_resolution);
  TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &header.y_resolution);
  header.resolution_unit = field<uint16_t>(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
  return header;
}

// How many images the description promises; 0 when it does not.
int64_t described_images(const std::map<std::string, std::string>& entries) {
  const auto images = entries.find("images");
  return images == entries.end() ? 0 : std::strtoll(images->second.c_str(), nullptr, 10);
}

class TiffSource : public ImageSource {
 public:
  explicit TiffSource(fs::path file) : file_(std::move(file)), tiff_(open_file(file_)), bytes_(file_) {
    if (!tiff_) throw damaged(file_, "it is no whole TIFF file");
    auto header = std::make_shared<TiffHeader>(read_header(tiff_.get()));
    info_.header = described_entries(header->description);
    pages_ = read_pages(tiff_.get(), file_);
    add_pages_behind();
    info_.shape = {std::ssize(pages_), pages_.front().height, pages_.front().width};
    info_.scalar = scalar_of(pages_.front()).value();
    info_.slope = described_calibration(info_.header, info_.scalar).slope;
    info_.intercept = described_calibration(info_.header, info_.scalar).intercept;
    info_.units = described_units(info_.header);
    describe_spacing(*header, info_);
    info_.format = "TIFF";
    info_.native = std::move(header);
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return file_.string(); }

  at::Tensor read_stored(const Region& region) override {
    require_inside(region, info_, name());
    const std::lock_guard lock(mutex_);
    at::Tensor part = at::empty(region.size, tensor_type(info_.scalar));
    auto* slice = static_cast<char*>(part.mutable_data_ptr());
    const auto slice_bytes = static_cast<int64_t>(part.nbytes()) / region.size[0];
    for (int64_t z = 0; z < region.size[0]; ++z, slice += slice_bytes)
      read_page_region(region.begin[0] + z, region, slice);
    return part;
  }

 private:
  // ImageJ writes stacks of more than 4 GB, and tifffile all that are meant for ImageJ, as one page with the
  // pixels of the others behind its own.
  void add_pages_behind() {
    const int64_t images = described_images(info_.header);
    if (images <= std::ssize(pages_)) return;
    const Page first = pages_.front();
    const int64_t page_bytes = first.width * first.height * bytes_per_voxel(scalar_of(first).value());
    TIFFSetSubDirectory(tiff_.get(), first.offset);
    const uint64_t size = fs::file_size(file_), begin = std::min(TIFFGetStrileOffset(tiff_.get(), 0), size);
    const bool all_behind = pages_.size() == 1 && first.plain && first.block_height == first.height &&
                            static_cast<int64_t>(size - begin) / page_bytes >= images;
    if (!all_behind)
      throw damaged(file_, fmt::format("its description promises {} images, but it has pixels of {}", images,
                                       pages_.size()));
    pages_.resize(static_cast<size_t>(images), first);
    for (int64_t z = 0; z < images; ++z) pages_[static_cast<size_t>(z)].behind = z * page_bytes;
  }

  void read_page_region(int64_t z, const Region& region, char* slice) {
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
    const auto first = static_cast<int64_t>(offset) + page.behind + (block.top - strip_top) * row_bytes;
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
  void copy_overlap(const Page& page, const Region& region, const Block& block, char* slice) const {
    const int64_t width = bytes_per_voxel(info_.scalar);
    const int64_t x0 = std::max(block.left, region.begin[2]);
    const int64_t x1 =
        std::min({block.left + page.block_width, page.width, region.begin[2] + region.size[2]});
    const int64_t y0 = std::max(block.top, region.begin[1]);
    const int64_t y1 = std::min(block.end, region.begin[1] + region.size[1]);
    for (int64_t y = y0; y < y1; ++y) {
      const int64_t from = (y - block.top) * page.block_width + x0 - block.left;
      const int64_t to = (y - region.begin[1]) * region.size[2] + x0 - region.begin[2];
      std::copy_n(block.pixels.data() + from * width, (x1 - x0) * width, slice + to * width);
    }
  }

  fs::path file_;
  Tiff tiff_;
  RandomAccessFile bytes_;
  std::mutex mutex_;
  std::vector<Page> pages_;
  ImageInfo info_;
};

}  // namespace

std::unique_ptr<ImageSource> open_tiff(const fs::path& file) {
  return std::make_unique<TiffSource>(file);
}

}  // namespace lucivox::formats
