#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/hdf5_data.h>
#include <lucivox/formats/msdnet.h>

namespace lucivox {
namespace {

using formats::Id;

constexpr char kGroup[] = "network";

Id open_file(const std::filesystem::path& path) {
  require_exists(path, "weights");
  formats::silence_hdf5();
  return formats::open_hdf5_file(path);
}

bool holds(hid_t group, const char* name) {
  return H5Lexists(group, name, H5P_DEFAULT) > 0;
}

}  // namespace

bool is_msdnet_file(const std::filesystem::path& path) {
  const std::lock_guard lock(formats::hdf5_lock());
  return holds(open_file(path).get(), kGroup);
}

std::vector<std::pair<std::string, at::Tensor>> read_msdnet(const std::filesystem::path& path) {
  const std::lock_guard lock(formats::hdf5_lock());
  const Id file = open_file(path), group(H5Gopen2(file.get(), kGroup, H5P_DEFAULT));
  if (!group)
    throw Error(path.string() + " holds no network of msdnet", "import takes what Network.to_file() wrote");
  std::vector<std::pair<std::string, at::Tensor>> arrays;
  const auto read = [&](const std::string& name) {
    arrays.emplace_back(name, formats::read_numbers(path, group.get(), name));
  };
  read("dl");
  const int64_t depth = arrays[0].second.numel();
  if (!holds(group.get(), "f")) throw Error(path.string() + ": 'f', the layers' filters, is missing");
  for (int64_t layer = 0; layer < depth; ++layer) read(fmt::format("f/{:05}", layer));
  for (const char* name : {"o", "w", "oo"}) read(name);
  for (const char* name : {"gam_in", "off_in", "gam_out", "off_out"}) {
    if (holds(group.get(), name)) read(name);
  }
  return arrays;
}

}  // namespace lucivox
