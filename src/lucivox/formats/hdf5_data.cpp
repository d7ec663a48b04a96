#include <algorithm>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/hdf5_data.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

// A damaged type may claim bits that it has no room for, and HDF5's conversions would believe it.
bool is_sound(hid_t type) {
  const size_t bits = 8 * H5Tget_size(type);
  if (H5Tget_class(type) == H5T_INTEGER) {
    const size_t used = H5Tget_precision(type),
                 skipped = static_cast<size_t>(std::max(H5Tget_offset(type), 0));
    return used > 0 && used <= bits && skipped <= bits - used;
  }
  size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits);
  const bool ieee_half = bits == 16 && sign == 15 && exponent == 10 && exponent_bits == 5 && mantissa == 0 &&
                         mantissa_bits == 10;
  return ieee_half || H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F32BE) > 0 ||
         H5Tequal(type, H5T_IEEE_F64LE) > 0 || H5Tequal(type, H5T_IEEE_F64BE) > 0;
}

void require_filters(const fs::path& file, hid_t properties) {
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    char name[64] = "";
    size_t elements = 0;
    unsigned flags = 0;
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &elements,
                                               nullptr, sizeof name, name, nullptr);
    if (filter < 0 || H5Zfilter_avail(filter) > 0) continue;
    throw Error(fmt::format("{} is compressed with the HDF5 filter {} ({}), which is not installed",
                            file.string(), static_cast<int>(filter), name),
                "install the HDF5 plugins and set HDF5_PLUGIN_PATH, or rewrite the file with gzip (h5repack "
                "-f GZIP=1)");
  }
}

}  // namespace

void silence_hdf5() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Id open_hdf5_file(const fs::path& file) {
  silence_hdf5();
  Id handle(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  if (!handle) throw damaged(file, "it is no whole HDF5 file");
  return handle;
}

std::optional<Scalar> scalar_of_hdf5(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || !is_sound(type)) return std::nullopt;
  const size_t bytes = H5Tget_size(type);
  if (kind == H5T_FLOAT) return bytes <= 4 ? Scalar::Float32 : Scalar::Float64;
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  if (bytes == 1) return is_signed ? Scalar::Int8 : Scalar::UInt8;
  if (bytes == 2) return is_signed ? Scalar::Int16 : Scalar::UInt16;
  if (bytes == 4) return is_signed ? Scalar::Int32 : Scalar::UInt32;
  if (bytes == 8) return is_signed ? Scalar::Int64 : Scalar::UInt64;
  return std::nullopt;
}

hid_t hdf5_type(Scalar scalar) {
  switch (scalar) {
    case Scalar::UInt8:
      return H5T_NATIVE_UINT8;
    case Scalar::Int8:
      return H5T_NATIVE_INT8;
    case Scalar::UInt16:
      return H5T_NATIVE_UINT16;
    case Scalar::Int16:
      return H5T_NATIVE_INT16;
    case Scalar::UInt32:
      return H5T_NATIVE_UINT32;
    case Scalar::Int32:
      return H5T_NATIVE_INT32;
    case Scalar::UInt64:
      return H5T_NATIVE_UINT64;
    case Scalar::Int64:
      return H5T_NATIVE_INT64;
    case Scalar::Float64:
      return H5T_NATIVE_DOUBLE;
    case Scalar::Float32:
      break;
  }
  return H5T_NATIVE_FLOAT;
}

void require_stored(const fs::path& file, hid_t data_set, const std::array<int64_t, 3>& shape,
                    Scalar scalar) {
  const Id properties(H5Dget_create_plist(data_set));
  require_filters(file, properties.get());
  const bool filtered = H5Pget_nfilters(properties.get()) > 0;
  const bool external =
      H5Pget_external_count(properties.get()) > 0 || H5Pget_layout(properties.get()) == H5D_VIRTUAL;
  if (external)
    throw Error(file.string() + " keeps its voxels in other files", "copy them into one with h5repack");
  require_plausible(file, shape, scalar, H5Dget_storage_size(data_set),
                    filtered ? kAnyCodec : 8);  // up to 8: float64 for a smaller type
}

at::Tensor read_numbers(const std::filesystem::path& file, hid_t group, const std::string& name) {
  constexpr hsize_t kMost = hsize_t{1} << 28;
  constexpr int kMostDimensions = 8;
  const auto unusable = [&](const std::string& what) {
    return Error(fmt::format("{}: '{}' {}", file.string(), name, what),
                 "the file is damaged, or of another kind");
  };
  const bool there = H5Lexists(group, name.c_str(), H5P_DEFAULT) > 0;
  const Id data(there ? H5Dopen2(group, name.c_str(), H5P_DEFAULT) : -1);
  if (!data) throw unusable("is not among its weights");
  const Id type(H5Dget_type(data.get())), space(H5Dget_space(data.get()));
  const H5T_class_t kind = H5Tget_class(type.get());
  const int dimensions = H5Sget_simple_extent_ndims(space.get());
  if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || dimensions < 0 || dimensions > kMostDimensions)
    throw unusable("is no array of numbers");
  std::vector<hsize_t> sides(static_cast<size_t>(dimensions));
  H5Sget_simple_extent_dims(space.get(), sides.data(), nullptr);
  hsize_t count = 1;
  for (const hsize_t side : sides) count = side > kMost ? side : std::min(count * side, kMost + 1);
  if (count > kMost) throw unusable("is too large");
  if (H5Dget_storage_size(data.get()) == 0 && count > 0) throw unusable("was never written");
  at::Tensor values = at::empty(std::vector<int64_t>(sides.begin(), sides.end()), at::kFloat);
  if (H5Dread(data.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data_ptr<float>()) < 0)
    throw unusable("cannot be read");
  return values;
}

}  // namespace lucivox::formats
