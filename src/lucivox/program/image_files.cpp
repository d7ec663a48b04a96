#include <algorithm>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/text.h>
#include <lucivox/formats/folder.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& image : image_folder(folder).images) names.push_back(image.filename().string());
  return names;
}

void require_none_alone(const std::vector<std::string>& names, const std::vector<std::string>& partners,
                        const fs::path& a, const fs::path& b) {
  std::vector<std::string> alone;
  std::set_difference(names.begin(), names.end(), partners.begin(), partners.end(), std::back_inserter(alone),
                      natural_less);
  if (alone.empty()) return;
  throw Error(fmt::format("{} of {} images in {} have no partner in {}, the first is {}", alone.size(),
                          names.size(), a.string(), b.string(), alone.front()),
              "both folders must hold images with the same names");
}

}  // namespace

void note_strays(const fs::path& path, Reporter& reporter) {
  if (!fs::is_directory(path)) return;
  const std::string strays = describe_strays(image_folder(path));
  if (!strays.empty()) reporter.note(strays);
}

std::vector<std::pair<fs::path, fs::path>> pairs_by_name(const fs::path& a, const fs::path& b,
                                                         Reporter& reporter) {
  note_strays(a, reporter);
  note_strays(b, reporter);
  const auto names_a = names_in(a), names_b = names_in(b);
  require_none_alone(names_a, names_b, a, b);
  require_none_alone(names_b, names_a, b, a);
  std::vector<std::pair<fs::path, fs::path>> pairs;
  for (const std::string& name : names_a) pairs.emplace_back(a / name, b / name);
  return pairs;
}

}  // namespace lucivox
