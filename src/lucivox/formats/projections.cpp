#include <vector>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/projections.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

using namespace formats;

bool is_description(const fs::path& path) {
  return path.extension() == ".toml";
}

bool is_hdf5(const fs::path& path) {
  using namespace std::string_view_literals;
  return fs::is_regular_file(path) && first_bytes(path, 8) == "\x89HDF\r\n\x1a\n"sv;
}

std::unique_ptr<ProjectionSource> open_kind(const fs::path& path) {
  require_exists(path, "scan");
  if (is_description(path)) return open_described(path);
  if (is_hdf5(path)) return open_dxchange(path);
  throw Error::misuse(path.string() + " is neither a DXchange (HDF5) file nor a description of a scan",
                      "describe stacks of TIFFs and raw files in a .toml file: projections = \"" +
                          path.filename().string() + "\", angle_range_deg = [0, 180]");
}

}  // namespace

std::unique_ptr<ProjectionSource> open_projections(const fs::path& path) {
  try {
    return open_kind(path);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {  // from a library, or of the file system
    throw damaged(path, failure.what());
  }
}

std::vector<fs::path> files_of_scan(const fs::path& path) {
  require_exists(path, "scan");
  return is_description(path) ? files_of_description(path) : std::vector{path};
}

bool is_scan(const fs::path& path) {
  return is_description(path) || (is_hdf5(path) && looks_like_dxchange(path));
}

}  // namespace lucivox
