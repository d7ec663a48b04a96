#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// A folder that holds one of these is no DICOM series.
constexpr std::array kSingleImages{".tif",  ".tiff", ".png", ".nii", ".gz",   ".nrrd",
                                   ".nhdr", ".mha",  ".mhd", ".h5",  ".hdf5", ".hdf"};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& image : images_in(folder)) names.push_back(image.filename().string());
  return names;
}

void require_none_alone(const std::vector<std::string>& names, const std::vector<std::string>& partners,
                        const fs::path& a, const fs::path& b) {
  std::vector<std::string> alone;
  std::set_difference(names.begin(), names.end(), partners.begin(), partners.end(),
                      std::back_inserter(alone));
  if (alone.empty()) return;
  throw Error(fmt::format("{} of {} images in {} have no partner in {}, the first is {}", alone.size(),
                          names.size(), a.string(), b.string(), alone.front()),
              "both folders must hold equally named images");
}

}  // namespace

std::vector<fs::path> images_in(const fs::path& folder) {
  require_exists(folder, "folder");
  if (!fs::is_directory(folder))
    throw Error(folder.string() + " is not a folder", "give the folder that holds the images");
  std::vector<fs::path> images;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with('.')) images.push_back(entry.path());
  }
  if (images.empty()) throw Error(folder.string() + " is empty", "give a folder with images");
  std::sort(images.begin(), images.end());
  return images;
}

bool holds_single_images(const fs::path& folder) {
  const auto images = images_in(folder);
  return std::any_of(images.begin(), images.end(), [](const fs::path& image) {
    return std::find(kSingleImages.begin(), kSingleImages.end(), image.extension().string()) !=
           kSingleImages.end();
  });
}

std::vector<std::pair<fs::path, fs::path>> equally_named(const fs::path& a, const fs::path& b) {
  const auto names_a = names_in(a), names_b = names_in(b);
  require_none_alone(names_a, names_b, a, b);
  require_none_alone(names_b, names_a, b, a);
  std::vector<std::pair<fs::path, fs::path>> pairs;
  for (const std::string& name : names_a) pairs.emplace_back(a / name, b / name);
  return pairs;
}

}  // namespace lucivox
