#include <filesystem>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/image/formats/open.h>
#include <lucivox/program/image_files.h>
#include <lucivox/program/training_data.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

VolumePair pair_of(const fs::path& low, const fs::path& full) {
  return {[low] { return open(low); }, [full] { return open(full); }};
}

std::vector<VolumePair> pairs_in(const fs::path& folder) {
  require_exists(folder, "training data");
  for (const char* part : {"HQ", "LQ"}) {
    if (!fs::is_directory(folder / part)) {
      throw Error(
          (folder / part).string() + " does not exist",
          "training data are a folder with HQ/ (full dose) and LQ/ (low dose) of equally named images");
    }
  }
  std::vector<VolumePair> pairs;
  for (const auto& [low, full] : equally_named(folder / "LQ", folder / "HQ"))
    pairs.push_back(pair_of(low, full));
  return pairs;
}

std::vector<VolumePair> listed_pairs(const Json& list) {
  std::vector<VolumePair> pairs;
  for (const Json& entry : list) {
    std::string low, full;
    ConfigTable table(entry, "data");
    table.read("low", low);
    table.read("full", full);
    table.finish();
    if (low.empty() || full.empty())
      throw Error::misuse("a pair of volumes needs both low and full", "{ low = \"...\", full = \"...\" }");
    pairs.push_back(pair_of(low, full));
  }
  return pairs;
}

}  // namespace

std::unique_ptr<PairedSlices> open_pairs(const Json& where) {
  if (where.is_string()) return paired_slices(pairs_in(where.get<std::string>()));
  if (where.is_array()) return paired_slices(listed_pairs(where));
  throw Error::misuse("training data must be a folder or a list of pairs",
                      "data.train = \"folder\" with HQ/ and LQ/");
}

}  // namespace lucivox
