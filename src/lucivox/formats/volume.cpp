#include <algorithm>
#include <mutex>
#include <utility>

#include <ATen/ops/empty.h>

#include <lucivox/formats/volume.h>
#include <lucivox/image/pixels.h>

namespace lucivox::formats {
namespace {

class LoadedSource : public ImageSource {
 public:
  LoadedSource(std::string name, ImageInfo info, Load load)
      : name_(std::move(name)), info_(std::move(info)), load_(std::move(load)) {}

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return name_; }

  at::Tensor read_stored(const Region& region) override {
    require_inside(region, info_, name_);
    const char* stored = load_once();
    at::Tensor part = at::empty(region.size, tensor_type(info_.scalar));
    const int64_t width = part.element_size(), row_bytes = region.size[2] * width;
    auto* row = static_cast<char*>(part.mutable_data_ptr());
    for (int64_t z = 0; z < region.size[0]; ++z) {
      for (int64_t y = 0; y < region.size[1]; ++y, row += row_bytes) {
        const int64_t first =
            ((region.begin[0] + z) * info_.shape[1] + region.begin[1] + y) * info_.shape[2] + region.begin[2];
        std::copy_n(stored + first * width, row_bytes, row);
      }
    }
    return part;
  }

 private:
  const char* load_once() {
    const std::lock_guard lock(mutex_);
    if (stored_.empty()) stored_ = load_();
    return stored_.data();
  }

  std::string name_;
  ImageInfo info_;
  Load load_;
  std::mutex mutex_;
  std::vector<char> stored_;
};

}  // namespace

std::unique_ptr<ImageSource> loaded_source(std::string name, ImageInfo info, Load load) {
  return std::make_unique<LoadedSource>(std::move(name), std::move(info), std::move(load));
}

int64_t voxel_count(const ImageInfo& info) {
  return info.shape[0] * info.shape[1] * info.shape[2];
}

}  // namespace lucivox::formats
