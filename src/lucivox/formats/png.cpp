#include <array>
#include <csetjmp>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <png.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/staging.h>
#include <lucivox/formats/volume.h>
#include <lucivox/image/pixels.h>

// PNG through libpng, whose errors arrive by longjmp: what lies between a setjmp and the calls it guards owns
// nothing.
namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

void fail(png_structp png, png_const_charp) {
  png_longjmp(png, 1);
}
void stay_silent(png_structp, png_const_charp) {}

// ---- reading ----

class PngReader {
 public:
  explicit PngReader(const fs::path& path) : PngReader(File(std::fopen(path.c_str(), "rb"))) {
    if (!file_ || info_ == nullptr || !read_header()) throw damaged(path, "it is no whole PNG file");
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  Scalar scalar() const { return png_get_bit_depth(png_, info_) == 16 ? Scalar::UInt16 : Scalar::UInt8; }
  bool is_grey() const { return png_get_color_type(png_, info_) == PNG_COLOR_TYPE_GRAY; }

  // False when the file is truncated or damaged. `pixels` has room for all rows.
  bool read_pixels(char* pixels) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    if (png_get_bit_depth(png_, info_) < 8) png_set_packing(png_);
    png_set_swap(png_);  // PNG is big endian
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    const size_t row_bytes = png_get_rowbytes(png_, info_);
    const png_uint_32 rows = png_get_image_height(png_, info_);
    for (int pass = 0; pass < passes; ++pass) {
      for (png_uint_32 y = 0; y < rows; ++y)
        png_read_row(png_, reinterpret_cast<png_bytep>(pixels + y * row_bytes), nullptr);
    }
    png_read_end(png_, nullptr);
    return true;
  }

 private:
  // Whole before the header is looked at, so that the destructor frees libpng's structures when that throws.
  explicit PngReader(File file) : file_(std::move(file)) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, fail, stay_silent);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }

  bool read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_init_io(png_, file_.get());
    png_read_info(png_, info_);
    return true;
  }

  File file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

std::vector<char> load(const fs::path& path, const ImageInfo& info) {
  PngReader reader(path);
  std::vector<char> pixels(static_cast<size_t>(voxel_count(info) * bytes_per_voxel(info.scalar)));
  if (!reader.read_pixels(pixels.data())) throw damaged(path, "it is truncated or damaged");
  return pixels;
}

// ---- writing ----

bool write_rows(png_structp png, png_infop info, std::FILE* file, const ImageInfo& image,
                const std::byte* stored) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  const int64_t width = bytes_per_voxel(image.scalar);
  png_init_io(png, file);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.shape[2]), static_cast<png_uint_32>(image.shape[1]),
               static_cast<int>(8 * width), PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  if (width == 2) png_set_swap(png);
  for (int64_t y = 0; y < image.shape[1]; ++y) {
    png_write_row(png, reinterpret_cast<png_const_bytep>(stored + y * image.shape[2] * width));
  }
  png_write_end(png, nullptr);
  return std::fflush(file) == 0;
}

bool encode(const fs::path& pending, const ImageInfo& image, const std::byte* stored) {
  const File file(std::fopen(pending.c_str(), "wb"));
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, fail, stay_silent);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  const bool written = file && info != nullptr && write_rows(png, info, file.get(), image, stored);
  png_destroy_write_struct(&png, &info);
  return written;
}

}  // namespace

std::unique_ptr<ImageSource> open_png(const fs::path& file) {
  const PngReader reader(file);
  if (!reader.is_grey()) throw in_colour(file);
  ImageInfo info;
  info.format = "PNG";
  info.shape = {1, reader.height(), reader.width()};
  info.scalar = reader.scalar();
  require_plausible(file, info.shape, info.scalar, fs::file_size(file),
                    kDeflate * 8);  // 8: pixels of one bit
  return loaded_source(file.string(), info, [=] { return load(file, info); });
}

std::unique_ptr<ImageSink> create_png(const fs::path& file, const ImageInfo& info) {
  const bool fits = info.shape[0] == 1 && (info.scalar == Scalar::UInt8 || info.scalar == Scalar::UInt16) &&
                    is_identity(calibration_of(info));
  if (!fits) {
    throw Error(
        fmt::format("{}: PNG holds one slice of uint8 or uint16 without slope and intercept, not {} of {}",
                    file.string(), info.shape[0], to_string(info.scalar)),
        "write TIFF (.tif), which holds any of these");
  }
  return staged_sink(file, info, [=](const fs::path& pending, const std::byte* stored) {
    return encode(pending, info, stored);
  });
}

}  // namespace lucivox::formats
