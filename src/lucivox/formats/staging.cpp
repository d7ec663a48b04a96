#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/formats/staging.h>
#include <lucivox/formats/volume.h>
#include <lucivox/image/pixels.h>

namespace lucivox::formats {
namespace {

// A mapped file without a name.
class Staging {
 public:
  Staging(const PendingPath& target, size_t bytes) : bytes_(bytes) {
    std::string name = (target.path().parent_path() / ".lucivox-XXXXXX").string();
    const int file = ::mkostemp(name.data(), O_CLOEXEC);
    if (file < 0) throw cannot_stage(target, errno);
    ::unlink(name.c_str());
    // reserved now, so that a full disk is an error here and not a signal when a page is touched
    const int failed = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
    void* mapped =
        failed != 0 ? MAP_FAILED : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    const int code = failed != 0 ? failed : errno;
    ::close(file);
    if (mapped == MAP_FAILED) throw cannot_stage(target, code);
    data_ = static_cast<std::byte*>(mapped);
  }
  ~Staging() { ::munmap(data_, bytes_); }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  std::byte* data() const { return data_; }

 private:
  Error cannot_stage(const PendingPath& target, int code) const {
    return Error(fmt::format("cannot write {} ({}): {}", target.final_path().string(),
                             human_bytes(static_cast<double>(bytes_)), std::strerror(code)),
                 "choose a folder that is writable and has space left");
  }

  size_t bytes_;
  std::byte* data_ = nullptr;
};

class StagedSink : public ImageSink {
 public:
  StagedSink(const std::filesystem::path& path, const ImageInfo& info, Encode encode)
      : pending_(path),
        info_(info),
        encode_(std::move(encode)),
        staging_(pending_, static_cast<size_t>(voxel_count(info) * bytes_per_voxel(info.scalar))) {}

  void write(const Region& region, const at::Tensor& values) override {
    require_finite(values, "what is to be written to " + name());
    write_stored(region, to_stored(values, info_));
  }

  void write_stored(const Region& region, const at::Tensor& stored) override {
    require_inside(region, info_, name());
    if (stored.sizes() != at::IntArrayRef(region.size))
      throw Error(fmt::format("the values written to {} do not have the size of their region", name()));
    if (stored.scalar_type() != tensor_type(info_.scalar))
      throw Error(fmt::format("{} stores {}, not {}", name(), to_string(info_.scalar),
                              at::toString(stored.scalar_type())),
                  "give the voxels in the type that is stored");
    const at::Tensor dense = stored.contiguous();
    const int64_t width = dense.element_size(), row_bytes = region.size[2] * width;
    const auto* row = static_cast<const std::byte*>(dense.const_data_ptr());
    for (int64_t z = 0; z < region.size[0]; ++z) {
      for (int64_t y = 0; y < region.size[1]; ++y, row += row_bytes) {
        const int64_t first =
            ((region.begin[0] + z) * info_.shape[1] + region.begin[1] + y) * info_.shape[2] + region.begin[2];
        std::copy_n(row, row_bytes, staging_.data() + first * width);
      }
    }
    written_ += dense.numel();
  }

  void commit() override {
    if (written_ < voxel_count(info_)) {
      throw Error(fmt::format("{} is not whole: {} of {} voxels were written", pending_.final_path().string(),
                              written_.load(), voxel_count(info_)));
    }
    if (!encode_(pending_.path(), staging_.data())) {
      throw Error("cannot write all of " + pending_.final_path().string(),
                  "check that the disk has space left");
    }
    pending_.commit();
  }

 private:
  std::string name() const { return pending_.final_path().string(); }

  PendingPath pending_;
  ImageInfo info_;
  Encode encode_;
  Staging staging_;
  std::atomic<int64_t> written_ = 0;
};

}  // namespace

std::unique_ptr<ImageSink> staged_sink(const std::filesystem::path& path, const ImageInfo& info,
                                       Encode encode) {
  return std::make_unique<StagedSink>(path, info, std::move(encode));
}

}  // namespace lucivox::formats
