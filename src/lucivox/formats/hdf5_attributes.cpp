#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/hdf5_attributes.h>

namespace lucivox::formats {
namespace {

// The size of a voxel Z, Y, X in micrometres, as ilastik, PlantSeg and Fiji's HDF5 plugin keep it.
constexpr const char* kElementSize = "element_size_um";
constexpr double kMicrometresPerMm = 1000;

bool refers_to_objects(hid_t type) {
  return H5Tdetect_class(type, H5T_REFERENCE) > 0;
}

void copy_attribute(hid_t from, hid_t to, const char* name) {
  const Id attribute(H5Aopen(from, name, H5P_DEFAULT));
  const Id type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
  if (!attribute || !type || !space || refers_to_objects(type.get()) || H5Aexists(to, name) > 0) return;
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  std::vector<std::byte> value(static_cast<size_t>(std::max<hssize_t>(count, 0)) * H5Tget_size(type.get()));
  const Id copy(H5Acreate2(to, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!copy || value.empty() || H5Aread(attribute.get(), type.get(), value.data()) < 0) return;
  H5Awrite(copy.get(), type.get(), value.data());
  H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, value.data());
}

}  // namespace

std::mutex& hdf5_lock() {
  static std::mutex mutex;
  return mutex;
}

void copy_attributes(hid_t from, hid_t to) {
  hsize_t index = 0;
  const auto visit = [](hid_t object, const char* name, const H5A_info_t*, void* target) -> herr_t {
    copy_attribute(object, *static_cast<hid_t*>(target), name);
    return 0;
  };
  H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, &index, visit, &to);
}

std::string text_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return {};
  const Id attribute(H5Aopen(object, name, H5P_DEFAULT));
  const Id type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) return {};
  if (H5Tis_variable_str(type.get()) > 0) {
    char* value = nullptr;
    if (H5Aread(attribute.get(), type.get(), &value) < 0 || value == nullptr) return {};
    const std::string text = clean_text(value);
    H5free_memory(value);
    return text;
  }
  std::string value(H5Tget_size(type.get()), '\0');
  return H5Aread(attribute.get(), type.get(), value.data()) < 0 ? std::string{} : clean_text(value);
}

void set_text_attribute(hid_t object, const char* name, const std::string& value) {
  const Id type(H5Tcopy(H5T_C_S1)), space(H5Screate(H5S_SCALAR));
  H5Tset_size(type.get(), std::max<size_t>(value.size(), 1));
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  if (H5Aexists(object, name) > 0) H5Adelete(object, name);
  const Id attribute(H5Acreate2(object, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  H5Awrite(attribute.get(), type.get(), value.data());
}

std::array<double, 3> element_size_mm(hid_t data_set) {
  if (H5Aexists(data_set, kElementSize) <= 0) return {};
  const Id attribute(H5Aopen(data_set, kElementSize, H5P_DEFAULT)), space(H5Aget_space(attribute.get()));
  std::array<double, 3> um{};
  if (H5Sget_simple_extent_npoints(space.get()) != 3 ||
      H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, um.data()) < 0)
    return {};
  return {um[2] / kMicrometresPerMm, um[1] / kMicrometresPerMm, um[0] / kMicrometresPerMm};
}

void set_element_size_mm(hid_t data_set, const std::array<double, 3>& size_mm) {
  const hsize_t count = 3;
  const Id space(H5Screate_simple(1, &count, nullptr));
  const std::array<double, 3> um{size_mm[2] * kMicrometresPerMm, size_mm[1] * kMicrometresPerMm,
                                 size_mm[0] * kMicrometresPerMm};
  if (H5Aexists(data_set, kElementSize) > 0) H5Adelete(data_set, kElementSize);
  const Id attribute(
      H5Acreate2(data_set, kElementSize, H5T_NATIVE_DOUBLE, space.get(), H5P_DEFAULT, H5P_DEFAULT));
  H5Awrite(attribute.get(), H5T_NATIVE_DOUBLE, um.data());
}

void read_spacing(hid_t data_set, ImageInfo& info) {
  const std::array<double, 3> size_mm = element_size_mm(data_set);
  for (size_t axis = 0; axis < 3; ++axis) {
    if (!(size_mm[axis] > 0)) continue;
    info.spacing_mm[axis] = size_mm[axis];
    info.spacing_known = true;
  }
}

void write_spacing(hid_t data_set, const ImageInfo& info) {
  if (info.spacing_known) set_element_size_mm(data_set, info.spacing_mm);
}

}  // namespace lucivox::formats
