#include <algorithm>
#include <cctype>
#include <numbers>
#include <utility>

#include <fmt/format.h>
#include <hdf5.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/hdf5_data.h>
#include <lucivox/formats/projections.h>

// DXchange: F. De Carlo et al., "Scientific data exchange: a schema for HDF5-based storage of raw and
// analyzed data", J. Synchrotron Rad. 21, 2014. The frames are read by the reader of HDF5 images.
namespace fs = std::filesystem;

namespace lucivox {
namespace {

using namespace formats;

constexpr const char* kData = "exchange/data";
constexpr const char* kFlats = "exchange/data_white";
constexpr const char* kDarks = "exchange/data_dark";
constexpr const char* kTheta = "exchange/theta";
constexpr double kRadiansPerDegree = std::numbers::pi / 180;

// ---- reading ----

bool has(hid_t file, const char* name) {
  return H5Lexists(file, "exchange", H5P_DEFAULT) > 0 && H5Lexists(file, name, H5P_DEFAULT) > 0;
}

Id open_data_set(const fs::path& file, hid_t handle, const char* name) {
  Id data_set(H5Dopen2(handle, name, H5P_DEFAULT));
  if (!data_set) throw damaged(file, fmt::format("its data set /{} is damaged", name));
  return data_set;
}

int64_t count_of(hid_t data_set) {
  const Id space(H5Dget_space(data_set));
  return H5Sget_simple_extent_npoints(space.get());
}

// Some programs write a data set of no frames where others write none.
bool has_frames(const fs::path& file, hid_t handle, const char* name) {
  return has(handle, name) && count_of(open_data_set(file, handle, name).get()) != 0;
}

bool is_in_radians(hid_t theta) {
  std::string units = text_attribute(theta, "units");
  std::transform(units.begin(), units.end(), units.begin(), [](unsigned char c) { return std::tolower(c); });
  return units.starts_with("rad");
}

std::vector<double> read_angles_rad(const fs::path& file, hid_t theta) {
  const Id type(H5Dget_type(theta));
  const auto scalar = scalar_of_hdf5(type.get());
  if (!scalar) {
    throw Error(fmt::format("/{} of {} holds no numbers", kTheta, file.string()),
                "write the projection angles there, in degrees");
  }
  const int64_t count = count_of(theta);
  require_stored(file, theta, {1, 1, count}, *scalar);
  std::vector<double> angles(static_cast<size_t>(count));
  if (H5Dread(theta, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, angles.data()) < 0)
    throw damaged(file, fmt::format("/{} is truncated or damaged", kTheta));
  if (!is_in_radians(theta)) {
    for (double& angle : angles) angle *= kRadiansPerDegree;
  }
  return angles;
}

// Sinograms side by side ("y:theta:x") would be read as projections without complaint.
void require_views_first(const fs::path& file, hid_t data) {
  const std::string axes = text_attribute(data, "axes");
  const size_t theta = axes.find("theta");
  if (theta == std::string::npos || theta == 0) return;
  throw Error(fmt::format("/{} of {} has the axes {}, not theta:y:x", kData, file.string(), axes),
              "reorder it: views first, then rows, then columns");
}

void require_scan(const fs::path& file, hid_t handle) {
  if (!has(handle, kData)) {
    throw Error(fmt::format("{} holds no projections: it has no /{}", file.string(), kData),
                "where they have another name, describe them in a .toml file: projections = \"" +
                    file.filename().string() + ":/NAME\"");
  }
  if (has(handle, kTheta)) return;
  throw Error(fmt::format("{} does not tell its projection angles: it has no /{}", file.string(), kTheta),
              fmt::format("write them there in degrees, or describe the scan in a .toml file: projections = "
                          "\"{}:/{}\", angle_range_deg = [0, 180]",
                          file.filename().string(), kData));
}

// What is read before the frames are opened.
struct Contents {
  bool flats = false, darks = false;
  ScanSetup setup;
};

Contents read_contents(const fs::path& file) {
  const std::lock_guard lock(hdf5_lock());
  const Id handle = open_hdf5_file(file);
  require_scan(file, handle.get());
  const Id data = open_data_set(file, handle.get(), kData), theta = open_data_set(file, handle.get(), kTheta);
  require_views_first(file, data.get());
  Contents contents;
  contents.flats = has_frames(file, handle.get(), kFlats);
  contents.darks = has_frames(file, handle.get(), kDarks);
  contents.setup.angles_rad = read_angles_rad(file, theta.get());
  if (const double width_mm = element_size_mm(data.get())[0]; width_mm > 0)
    contents.setup.pixel_mm = width_mm;
  return contents;
}

std::unique_ptr<ImageSource> open_frames(const fs::path& file, const char* name) {
  return open_hdf5(file, std::string("/") + name);
}

// ---- writing ----

template <typename Number>
Id write_data_set(hid_t file, const char* name, std::vector<hsize_t> sizes, hid_t type,
                  const Number* values) {
  const Id space(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr));
  const Id links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links.get(), 1);
  Id data_set(H5Dcreate2(file, name, type, space.get(), links.get(), H5P_DEFAULT, H5P_DEFAULT));
  const bool written = data_set && H5Dwrite(data_set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  return written ? std::move(data_set) : Id();
}

bool write_frames(hid_t file, const char* name, const at::Tensor& frames, const char* axes,
                  const std::optional<double>& pixel_mm) {
  const at::Tensor values = frames.to(at::kCPU, at::kFloat).contiguous();
  const std::vector<hsize_t> sizes(values.sizes().begin(), values.sizes().end());
  const Id data_set = write_data_set(file, name, sizes, H5T_NATIVE_FLOAT, values.const_data_ptr<float>());
  if (!data_set) return false;
  set_text_attribute(data_set.get(), "axes", axes);
  if (pixel_mm) set_element_size_mm(data_set.get(), {*pixel_mm, *pixel_mm, 0});  // views have no size
  return true;
}

bool write_theta(hid_t file, const std::vector<double>& angles_rad) {
  std::vector<double> degrees = angles_rad;
  for (double& angle : degrees) angle /= kRadiansPerDegree;
  const Id theta = write_data_set(file, kTheta, {degrees.size()}, H5T_NATIVE_DOUBLE, degrees.data());
  if (theta) set_text_attribute(theta.get(), "units", "degrees");
  return static_cast<bool>(theta);
}

bool encode(const fs::path& pending, const Scan& scan) {
  const std::lock_guard lock(hdf5_lock());
  silence_hdf5();
  const auto there = [](const at::Tensor& frames) { return frames.defined() && frames.size(0) > 0; };
  const auto& pixel_mm = scan.setup.pixel_mm;
  const Id file(H5Fcreate(pending.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  return file && write_frames(file.get(), kData, scan.projections, "theta:y:x", pixel_mm) &&
         (!there(scan.flats) || write_frames(file.get(), kFlats, scan.flats, "theta_white:y:x", pixel_mm)) &&
         (!there(scan.darks) || write_frames(file.get(), kDarks, scan.darks, "theta_dark:y:x", pixel_mm)) &&
         write_theta(file.get(), scan.setup.angles_rad) && H5Fflush(file.get(), H5F_SCOPE_GLOBAL) >= 0;
}

}  // namespace

bool formats::looks_like_dxchange(const fs::path& file) {
  const std::lock_guard lock(hdf5_lock());
  silence_hdf5();
  const Id handle(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  return handle && has(handle.get(), kData) && has(handle.get(), kTheta);
}

std::unique_ptr<ProjectionSource> formats::open_dxchange(const fs::path& file) {
  Contents contents = read_contents(file);
  ScanFrames frames;
  frames.projections = open_frames(file, kData);
  if (contents.flats) frames.flats = open_frames(file, kFlats);
  if (contents.darks) frames.darks = open_frames(file, kDarks);
  return std::make_unique<ProjectionSource>(file.string(), "DXchange", std::move(frames),
                                            std::move(contents.setup));
}

void write_dxchange(const fs::path& path, const Scan& scan) {
  memory_projections(scan, path.string());  // its sizes and angles are checked
  for (const at::Tensor& frames : {scan.projections, scan.flats, scan.darks}) {
    if (frames.defined()) require_finite(frames, "what is to be written to " + path.string());
  }
  PendingPath pending(path);
  if (!encode(pending.path(), scan))
    throw Error("cannot write all of " + path.string(), "check that the disk has space left");
  pending.commit();
}

}  // namespace lucivox
