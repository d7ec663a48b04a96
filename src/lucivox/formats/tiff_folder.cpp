#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/image/pixels.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

std::vector<fs::path> tiffs_in(const fs::path& path) {
  const ImageFolder folder = image_folder(path);
  if (folder.kind == Kind::Tiff) return folder.images;
  throw Error(fmt::format("{} holds {} images, not TIFFs", path.string(), to_string(folder.kind)),
              "give the folder that holds the TIFFs");
}

void require_alike(const fs::path& file, const ImageInfo& info, const fs::path& first_file,
                   const ImageInfo& first) {
  if (info.shape[0] != 1) {
    throw Error(fmt::format("{} has {} pages; in a folder of TIFFs each file is one frame", file.string(),
                            info.shape[0]),
                "name the file itself if it holds all frames, or keep it in another folder");
  }
  const bool alike = info.shape == first.shape && info.scalar == first.scalar &&
                     calibration_of(info) == calibration_of(first);
  if (alike) return;
  throw Error(
      fmt::format("the TIFFs of a folder differ: {} has {} x {} pixels of {}, {} has {} x {} of {}",
                  file.string(), info.shape[2], info.shape[1], to_string(info.scalar),
                  first_file.filename().string(), first.shape[2], first.shape[1], to_string(first.scalar)),
      "keep what does not belong to the stack in another folder");
}

// Files are opened anew at each read: a scan has more of them than a process may hold open.
class TiffFolderSource : public ImageSource {
 public:
  explicit TiffFolderSource(fs::path folder) : folder_(std::move(folder)), files_(tiffs_in(folder_)) {
    info_ = open_tiff(files_.front())->info();
    for (const fs::path& file : files_) require_alike(file, open_tiff(file)->info(), files_.front(), info_);
    info_.shape[0] = static_cast<int64_t>(files_.size());
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return folder_.string(); }

  at::Tensor read_stored(const Region& region) override {
    require_inside(region, info_, name());
    at::Tensor stored = at::empty(region.size, tensor_type(info_.scalar));
    Region part = region;
    part.begin[0] = 0;
    part.size[0] = 1;
    for (int64_t z = 0; z < region.size[0]; ++z) {
      const auto frame = open_tiff(files_[static_cast<size_t>(region.begin[0] + z)]);
      stored.narrow(0, z, 1).copy_(frame->read_stored(part));
    }
    return stored;
  }

 private:
  fs::path folder_;
  std::vector<fs::path> files_;
  ImageInfo info_;
};

}  // namespace

std::unique_ptr<ImageSource> open_tiff_folder(const fs::path& folder) {
  return std::make_unique<TiffFolderSource>(folder);
}

}  // namespace lucivox::formats
