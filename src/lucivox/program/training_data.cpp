#include <filesystem>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/open.h>
#include <lucivox/program/image_files.h>
#include <lucivox/program/training_data.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

VolumePair pair_of(const fs::path& low, const fs::path& full) {
  return {[low] { return open(low); }, [full] { return open(full); }};
}

std::vector<VolumePair> pairs_in(const fs::path& folder, Reporter& reporter) {
  require_exists(folder, "training data");
  for (const char* part : {"HQ", "LQ"}) {
    if (!fs::is_directory(folder / part)) {
      throw Error((folder / part).string() + " does not exist",
                  "training data are a folder with HQ/ (full dose) and LQ/ (low dose), whose images have the "
                  "same names");
    }
  }
  std::vector<VolumePair> pairs;
  for (const auto& [low, full] : pairs_by_name(folder / "LQ", folder / "HQ", reporter))
    pairs.push_back(pair_of(low, full));
  return pairs;
}

struct ListedPair {
  std::string low, full;
};

std::vector<ListedPair> listed_pairs(const Json& list) {
  std::vector<ListedPair> pairs;
  for (const Json& entry : list) {
    ListedPair pair;
    ConfigTable table(entry, "data");
    table.read("low", pair.low);
    table.read("full", pair.full);
    table.finish();
    if (pair.low.empty() || pair.full.empty())
      throw Error::misuse("a pair of volumes needs both low and full", "{ low = \"...\", full = \"...\" }");
    pairs.push_back(pair);
  }
  return pairs;
}

std::vector<VolumePair> open_listed(const Json& list, Reporter& reporter) {
  std::vector<VolumePair> pairs;
  for (const auto& [low, full] : listed_pairs(list)) {
    note_strays(low, reporter);
    note_strays(full, reporter);
    pairs.push_back(pair_of(low, full));
  }
  return pairs;
}

Error neither_folder_nor_list() {
  return Error::misuse("training data must be a folder or a list of pairs",
                       "data.train = \"folder\" with HQ/ and LQ/");
}

}  // namespace

std::unique_ptr<PairedSlices> open_pairs(const Json& where, Reporter& reporter) {
  if (where.is_string()) return paired_slices(pairs_in(where.get<std::string>(), reporter));
  if (where.is_array()) return paired_slices(open_listed(where, reporter));
  throw neither_folder_nor_list();
}

std::vector<fs::path> files_of_pairs(const Json& where) {
  if (where.is_string()) {
    const fs::path folder = where.get<std::string>();
    return {folder, folder / "HQ", folder / "LQ"};
  }
  if (!where.is_array()) throw neither_folder_nor_list();
  std::vector<fs::path> files;
  for (const auto& [low, full] : listed_pairs(where)) {
    for (const std::string& image : {low, full}) {
      const std::vector<fs::path> read = files_of_image(image);
      files.insert(files.end(), read.begin(), read.end());
    }
  }
  return files;
}

}  // namespace lucivox
