#include <mutex>
#include <utility>

#include <ATen/ops/empty.h>

#include <lucivox/formats/pixels.h>
#include <lucivox/formats/volume.h>

namespace lucivox::formats {
namespace {

class LoadedSource : public ImageSource {
 public:
  LoadedSource(std::string name, ImageInfo info, Load load)
      : name_(std::move(name)), info_(std::move(info)), load_(std::move(load)) {}

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return name_; }

  at::Tensor read(const Region& region) override {
    require_inside(region, info_, name_);
    const char* stored = load_once();
    at::Tensor values = at::empty({region.size[0], region.size[1], region.size[2]}, at::kFloat);
    float* row = values.mutable_data_ptr<float>();
    for (int64_t z = 0; z < region.size[0]; ++z) {
      for (int64_t y = 0; y < region.size[1]; ++y, row += region.size[2]) {
        const int64_t first =
            ((region.begin[0] + z) * info_.shape[1] + region.begin[1] + y) * info_.shape[2] + region.begin[2];
        to_values(stored + first * bytes_per_voxel(info_.scalar), info_.scalar, calibration_of(info_),
                  region.size[2], row);
      }
    }
    return values;
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
