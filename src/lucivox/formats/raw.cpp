#include <optional>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/random_access.h>
#include <lucivox/image/pixels.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

// Nothing when it is more than a file can have.
std::optional<int64_t> bytes_of(const RawLayout& layout) {
  int64_t bytes = bytes_per_voxel(layout.scalar);
  for (const int64_t length : layout.shape) {
    if (__builtin_mul_overflow(bytes, length, &bytes)) return std::nullopt;
  }
  if (__builtin_add_overflow(bytes, layout.offset, &bytes)) return std::nullopt;
  return bytes;
}

void require_layout(const fs::path& file, const RawLayout& layout) {
  if (fs::is_directory(file)) throw Error(file.string() + " is a folder", "name the raw file in it");
  const auto size = static_cast<int64_t>(fs::file_size(file));
  const std::optional<int64_t> expected = bytes_of(layout);
  if (expected == size) return;
  throw Error(
      fmt::format("{} has {} bytes, but [{}] values of {} after the first {} bytes are {}", file.string(),
                  size, fmt::join(layout.shape, ", "), to_string(layout.scalar), layout.offset,
                  expected ? fmt::format("{}", *expected) : "more than a file can have"),
      "correct shape, type or offset, or fetch the file again if it is incomplete");
}

class RawSource : public ImageSource {
 public:
  RawSource(const fs::path& file, const RawLayout& layout)
      : name_(file.string()), layout_(layout), file_(file) {
    info_.shape = layout.shape;
    info_.scalar = layout.scalar;
    info_.format = "raw";
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return name_; }

  at::Tensor read_stored(const Region& region) override {
    require_inside(region, info_, name_);
    at::Tensor part = at::empty(region.size, tensor_type(info_.scalar));
    auto* slice = static_cast<char*>(part.mutable_data_ptr());
    const auto slice_bytes = static_cast<int64_t>(part.nbytes()) / region.size[0];
    for (int64_t z = 0; z < region.size[0]; ++z, slice += slice_bytes)
      read_slice(region.begin[0] + z, region, slice);
    return part;
  }

 private:
  // Whole rows are read at once, though only some columns may be wanted: they lie side by side in the file.
  void read_slice(int64_t z, const Region& region, char* slice) const {
    const int64_t width = bytes_per_voxel(info_.scalar), row_bytes = info_.shape[2] * width;
    std::vector<char> stored(static_cast<size_t>(region.size[1] * row_bytes));
    const int64_t first_row = z * info_.shape[1] + region.begin[1];
    if (!file_.read(layout_.offset + first_row * row_bytes, stored))
      throw damaged(name_, "it has become shorter, or the disk fails");
    if (layout_.big_endian) swap_bytes(stored, static_cast<size_t>(width));
    const char* from = stored.data() + region.begin[2] * width;
    const int64_t wanted = region.size[2] * width;
    for (int64_t y = 0; y < region.size[1]; ++y, from += row_bytes, slice += wanted)
      std::copy_n(from, wanted, slice);
  }

  std::string name_;
  RawLayout layout_;
  RandomAccessFile file_;
  ImageInfo info_;
};

}  // namespace

std::unique_ptr<ImageSource> open_raw(const fs::path& file, const RawLayout& layout) {
  require_exists(file, "raw file");
  require_layout(file, layout);
  return std::make_unique<RawSource>(file, layout);
}

}  // namespace lucivox::formats
