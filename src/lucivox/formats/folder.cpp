#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/folder.h>
#include <lucivox/formats/formats.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

using namespace formats;

struct Entry {
  fs::path path;
  std::optional<Kind> kind;
};

std::vector<fs::path> visible_entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    if (!entry.path().filename().string().starts_with('.')) paths.push_back(entry.path());
  }
  if (failure) {
    throw Error(fmt::format("cannot read the folder {}: {}", folder.string(), failure.message()),
                "check its permissions");
  }
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) {
    return natural_less(a.filename().string(), b.filename().string());
  });
  return paths;
}

// A DICOMDIR (PS3.10, 8.6) is DICOM, but the index of a medium and not an image.
std::optional<Kind> kind_of_file(const fs::path& path) {
  if (!fs::is_regular_file(path) || path.filename() == "DICOMDIR") return std::nullopt;
  return kind_by_content(path);
}

std::map<Kind, int64_t> count_kinds(const std::vector<Entry>& entries) {
  std::map<Kind, int64_t> counts;
  for (const Entry& entry : entries) {
    if (entry.kind) ++counts[*entry.kind];
  }
  return counts;
}

// The kinds that most entries are of: several when they tie, none without images.
std::vector<Kind> prevailing(const std::vector<Entry>& entries) {
  std::vector<Kind> kinds;
  int64_t most = 1;
  for (const auto& [kind, count] : count_kinds(entries)) {
    if (count > most) kinds.clear();
    if (count >= most) kinds.push_back(kind);
    most = std::max(most, count);
  }
  return kinds;
}

// What cannot be read is a stray, unless its name says that it should be one of the images.
std::optional<Kind> kind_if_readable(const fs::path& path) {
  try {
    return kind_of_file(path);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool holds_series(const fs::path& folder) {
  if (::access(folder.c_str(), R_OK | X_OK) != 0) return false;
  std::vector<Entry> files;
  for (const fs::path& path : visible_entries(folder)) files.push_back({path, kind_if_readable(path)});
  return prevailing(files) == std::vector{Kind::Dicom};
}

std::vector<Entry> entries_in(const fs::path& folder) {
  require_exists(folder, "folder");
  if (!fs::is_directory(folder))
    throw Error(folder.string() + " is not a folder", "give the folder that holds the images");
  std::vector<Entry> entries;
  for (const fs::path& path : visible_entries(folder)) {
    const bool series = fs::is_directory(path) && holds_series(path);
    entries.push_back({path, series ? Kind::DicomSeries : kind_if_readable(path)});
  }
  if (entries.empty()) throw Error(folder.string() + " is empty", "give a folder with images");
  return entries;
}

Kind kind_of(const fs::path& folder, const std::vector<Entry>& entries) {
  const std::vector<Kind> kinds = prevailing(entries);
  if (kinds.size() == 1) return kinds.front();
  if (kinds.empty()) {
    throw Error(folder.string() + " holds no images that lucivox can read",
                "give the folder that directly holds the images, or an image file");
  }
  throw Error(fmt::format("{} holds as many {} images as {} images", folder.string(), to_string(kinds[0]),
                          to_string(kinds[1])),
              "keep images of one kind in a folder");
}

// Voxels in a file of their own, which a header among the images names, are not strays.
void forget_data_files(ImageFolder& folder) {
  if (folder.kind != Kind::Nrrd && folder.kind != Kind::MetaImage) return;
  for (const fs::path& image : folder.images) {
    for (const fs::path& file : files_of_image(image)) {
      std::error_code missing;
      std::erase_if(folder.strays,
                    [&](const fs::path& stray) { return fs::equivalent(stray, file, missing); });
    }
  }
}

}  // namespace

ImageFolder image_folder(const fs::path& path) {
  const std::vector<Entry> entries = entries_in(path);
  ImageFolder folder{path, kind_of(path, entries), {}, {}};
  for (const Entry& entry : entries) {
    if (entry.kind != folder.kind && !fs::is_directory(entry.path) && kind_by_name(entry.path) == folder.kind)
      throw damaged(entry.path,
                    fmt::format("it is empty, cannot be read, or is not a {} file", to_string(folder.kind)));
    (entry.kind == folder.kind ? folder.images : folder.strays).push_back(entry.path);
  }
  forget_data_files(folder);
  return folder;
}

std::string describe_strays(const ImageFolder& folder) {
  if (folder.strays.empty()) return {};
  constexpr size_t shown = 3;
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(shown, folder.strays.size()); ++i)
    names.push_back(folder.strays[i].filename().string());
  return fmt::format("{}: left out {} of {} entries, which are not {}: {}{}", folder.path.string(),
                     folder.strays.size(), folder.strays.size() + folder.images.size(),
                     to_string(folder.kind), fmt::join(names, ", "),
                     folder.strays.size() > shown ? ", ..." : "");
}

}  // namespace lucivox
