#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/image/image.h>
#include <lucivox/image/pixels.h>

namespace lucivox {
namespace {

class MemorySource : public ImageSource {
 public:
  MemorySource(at::Tensor voxels, ImageInfo info, std::string name)
      : voxels_(std::move(voxels)), info_(std::move(info)), name_(std::move(name)) {
    info_.shape = {voxels_.size(0), voxels_.size(1), voxels_.size(2)};
  }
  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return name_; }
  at::Tensor read_stored(const Region& region) override { return to_stored(read(region), info_); }
  at::Tensor read(const Region& region) override {
    require_inside(region, info_, name_);
    at::Tensor part = voxels_;
    for (int axis = 0; axis < 3; ++axis) {
      const auto a = static_cast<size_t>(axis);
      part = part.narrow(axis, region.begin[a], region.size[a]);
    }
    return part.clone();
  }

 private:
  at::Tensor voxels_;
  ImageInfo info_;
  std::string name_;
};

}  // namespace

std::string to_string(Scalar scalar) {
  switch (scalar) {
    case Scalar::UInt8:
      return "uint8";
    case Scalar::Int8:
      return "int8";
    case Scalar::UInt16:
      return "uint16";
    case Scalar::Int16:
      return "int16";
    case Scalar::UInt32:
      return "uint32";
    case Scalar::Int32:
      return "int32";
    case Scalar::UInt64:
      return "uint64";
    case Scalar::Int64:
      return "int64";
    case Scalar::Float32:
      return "float32";
    case Scalar::Float64:
      return "float64";
  }
  return "unknown";
}

std::string to_string(Units units) {
  switch (units) {
    case Units::HU:
      return "HU";
    case Units::PerMm:
      return "1/mm";
    case Units::Unknown:
      break;
  }
  return "unknown";
}

at::Tensor ImageSource::read(const Region& region) {
  return to_values(read_stored(region), info());
}

std::unique_ptr<ImageSource> memory_source(at::Tensor voxels, ImageInfo info, std::string name) {
  return std::make_unique<MemorySource>(std::move(voxels), std::move(info), std::move(name));
}

void require_finite(const at::Tensor& values, const std::string& image) {
  const at::Tensor bad = at::isfinite(values).logical_not();
  const auto count = bad.sum().item<int64_t>();
  if (count == 0) return;
  const at::Tensor first = bad.nonzero()[0];
  std::string place;
  for (int64_t axis = 0; axis < first.size(0); ++axis) {
    place += fmt::format("{}{}", axis == 0 ? "" : ", ", first[axis].item<int64_t>());
  }
  throw Error(fmt::format("{} has {} NaN or infinite values, the first at [{}]", image, count, place),
              "repair or leave out this image: networks cannot learn from or enhance such values");
}

void require_inside(const Region& region, const ImageInfo& info, const std::string& image) {
  for (size_t axis = 0; axis < 3; ++axis) {
    if (region.begin[axis] < 0 || region.size[axis] < 1 ||
        region.begin[axis] + region.size[axis] > info.shape[axis]) {
      throw Error(fmt::format("the region [{}] + [{}] lies outside of {}, which has [{}] voxels (Z, Y, X)",
                              fmt::join(region.begin, ", "), fmt::join(region.size, ", "), image,
                              fmt::join(info.shape, ", ")));
    }
  }
}

}  // namespace lucivox
