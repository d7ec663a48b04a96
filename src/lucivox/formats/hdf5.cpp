#include <algorithm>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include <lucivox/base/text.h>
#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/hdf5_attributes.h>
#include <lucivox/formats/hdf5_data.h>
#include <lucivox/formats/staging.h>

// Data sets of HDF5 files. What is promised for a truncated file holds here too, but HDF5 1.10 itself can
// crash on metadata that was altered in place (texts of variable length, chunk indices): its old format has
// no checksums.
namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

// A data set in memory whose attributes are those of the source's.
struct Hdf5Header : NativeHeader {
  std::string data_set;
  bool flat = false;  // two axes in the file
  Id file, attributes;

  Hdf5Header() = default;
  ~Hdf5Header() override {
    const std::lock_guard lock(hdf5_lock());
    attributes = Id();
    file = Id();
  }
};

std::shared_ptr<Hdf5Header> keep_header(hid_t data_set, const std::string& name, bool flat) {
  auto header = std::make_shared<Hdf5Header>();
  header->data_set = name;
  header->flat = flat;
  const Id access(H5Pcreate(H5P_FILE_ACCESS)), space(H5Screate(H5S_SCALAR));
  constexpr size_t growth = 1 << 16;
  H5Pset_fapl_core(access.get(), growth, false);  // no file behind it
  header->file = Id(H5Fcreate("lucivox-header", H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
  header->attributes = Id(H5Dcreate2(header->file.get(), "header", H5T_NATIVE_UINT8, space.get(), H5P_DEFAULT,
                                     H5P_DEFAULT, H5P_DEFAULT));
  copy_attributes(data_set, header->attributes.get());
  return header;
}

// ---- reading ----

struct Found {
  std::string name;
  int axes;
};

std::vector<Found> data_sets_of(hid_t file) {
  std::vector<Found> found;
  const auto visit = [](hid_t root, const char* name, const H5O_info_t* about, void* list) -> herr_t {
    if (about->type != H5O_TYPE_DATASET) return 0;
    const Id data_set(H5Dopen2(root, name, H5P_DEFAULT));
    const Id space(data_set ? H5Dget_space(data_set.get()) : -1);
    if (space)
      static_cast<std::vector<Found>*>(list)->push_back({name, H5Sget_simple_extent_ndims(space.get())});
    return 0;
  };
  H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, &found, H5O_INFO_BASIC);
  return found;
}

std::string without_slash(const std::string& name) {
  return name.starts_with('/') ? name.substr(1) : name;
}

// "images" (TomoGAN) and "exchange/data" (DXchange) first, else the only one that can be an image.
std::string choose(const fs::path& file, const std::vector<Found>& all, const std::string& wanted) {
  std::vector<std::string> names;
  for (const Found& found : all) {
    if (found.axes == 2 || found.axes == 3) names.push_back(found.name);
  }
  const auto has = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!wanted.empty()) {
    if (has(without_slash(wanted))) return without_slash(wanted);
    const std::string near = nearest(without_slash(wanted), names);
    throw Error::misuse(fmt::format("{} has no 2D or 3D data set {}", file.string(), wanted),
                        near.empty() ? fmt::format("it has: {}", fmt::join(names, ", "))
                                     : fmt::format("did you mean {}?", near));
  }
  for (const char* usual : {"images", "exchange/data"}) {
    if (has(usual)) return usual;
  }
  if (names.empty())
    throw Error(file.string() + " has no 2D or 3D data set",
                "slices are expected in a data set called images, or in one that is named: FILE.h5:/NAME");
  if (names.size() == 1) return names.front();
  throw Error::misuse(fmt::format("{} has several data sets: {}", file.string(), fmt::join(names, ", ")),
                      fmt::format("name one: {}:/{}", file.filename().string(), names.front()));
}

// Closes under the lock, also when what opened them throws.
struct OpenDataSet {
  Id file, data_set;

  OpenDataSet() = default;
  OpenDataSet(const OpenDataSet&) = delete;
  OpenDataSet& operator=(const OpenDataSet&) = delete;
  ~OpenDataSet() {
    const std::lock_guard lock(hdf5_lock());
    data_set = Id();
    file = Id();
  }
};

class Hdf5Source : public ImageSource {
 public:
  Hdf5Source(fs::path file, const std::string& wanted) : file_(std::move(file)) {
    const std::lock_guard lock(hdf5_lock());
    open_.file = open_hdf5_file(file_);
    name_ = choose(file_, data_sets_of(open_.file.get()), wanted);
    open_.data_set = Id(H5Dopen2(open_.file.get(), name_.c_str(), H5P_DEFAULT));
    if (!open_.data_set) throw damaged(file_, fmt::format("its data set {} is damaged", name_));
    describe();
    require_stored(file_, open_.data_set.get(), info_.shape, info_.scalar);
    info_.native = keep_header(open_.data_set.get(), name_, flat_);
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return fmt::format("{}:/{}", file_.string(), name_); }

  at::Tensor read_stored(const Region& region) override {
    require_inside(region, info_, name());
    const std::lock_guard lock(hdf5_lock());
    at::Tensor stored = at::empty(region.size, tensor_type(info_.scalar));
    std::array<hsize_t, 3> begin{}, size{};
    std::copy(region.begin.begin(), region.begin.end(), begin.begin());
    std::copy(region.size.begin(), region.size.end(), size.begin());
    const size_t skipped = flat_ ? 1 : 0;
    const Id in_file(H5Dget_space(open_.data_set.get()));
    const Id in_memory(H5Screate_simple(static_cast<int>(3 - skipped), size.data() + skipped, nullptr));
    const bool read = H5Sselect_hyperslab(in_file.get(), H5S_SELECT_SET, begin.data() + skipped, nullptr,
                                          size.data() + skipped, nullptr) >= 0 &&
                      H5Dread(open_.data_set.get(), hdf5_type(info_.scalar), in_memory.get(), in_file.get(),
                              H5P_DEFAULT, stored.mutable_data_ptr()) >= 0;
    if (!read) throw damaged(file_, fmt::format("the voxels of {} are truncated or damaged", name_));
    return stored;
  }

 private:
  void describe() {
    const Id type(H5Dget_type(open_.data_set.get())), space(H5Dget_space(open_.data_set.get()));
    const auto scalar = scalar_of_hdf5(type.get());
    if (!scalar) {
      throw Error(
          fmt::format("the data set {} of {} holds no numbers of a usual kind", name_, file_.string()),
          "name another data set");
    }
    std::array<hsize_t, 3> sizes{1, 1, 1};
    flat_ = H5Sget_simple_extent_ndims(space.get()) == 2;
    H5Sget_simple_extent_dims(space.get(), sizes.data() + (flat_ ? 1 : 0), nullptr);
    for (size_t axis = 0; axis < 3; ++axis) info_.shape[axis] = static_cast<int64_t>(sizes[axis]);
    info_.scalar = *scalar;
    info_.format = "HDF5";
    info_.header["data_set"] = "/" + name_;
    for (const char* key : {"units", "description", "axes"}) {
      if (const std::string value = text_attribute(open_.data_set.get(), key); !value.empty())
        info_.header[key] = value;
    }
    if (info_.header["units"] == to_string(Units::HU)) info_.units = Units::HU;
    if (info_.header["units"] == to_string(Units::PerMm)) info_.units = Units::PerMm;
    if (info_.header["units"].empty()) info_.header.erase("units");
    read_spacing(open_.data_set.get(), info_);
  }

  fs::path file_;
  std::string name_;
  bool flat_ = false;
  OpenDataSet open_;
  ImageInfo info_;
};

// ---- writing ----

Id create_data_set(hid_t file, const std::string& name, const ImageInfo& info, bool flat) {
  std::array<hsize_t, 3> sizes{};
  std::copy(info.shape.begin(), info.shape.end(), sizes.begin());
  const size_t skipped = flat ? 1 : 0;
  const Id space(H5Screate_simple(static_cast<int>(3 - skipped), sizes.data() + skipped, nullptr));
  const Id links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links.get(), 1);
  return Id(H5Dcreate2(file, name.c_str(), hdf5_type(info.scalar), space.get(), links.get(), H5P_DEFAULT,
                       H5P_DEFAULT));
}

void write_header(hid_t data_set, const ImageInfo& info, const Hdf5Header* source,
                  const std::string& derivation) {
  if (source != nullptr) copy_attributes(source->attributes.get(), data_set);
  write_spacing(data_set, info);
  if (info.units != Units::Unknown) set_text_attribute(data_set, "units", to_string(info.units));
  if (!derivation.empty()) set_text_attribute(data_set, "derivation", derivation);
}

bool encode(const fs::path& pending, const std::string& data_set, const ImageInfo& info,
            const std::string& derivation, const std::byte* stored) {
  const std::lock_guard lock(hdf5_lock());
  silence_hdf5();
  const auto* source = dynamic_cast<const Hdf5Header*>(info.native.get());
  const bool flat = source != nullptr && source->flat && info.shape[0] == 1;
  const Id file(H5Fcreate(pending.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  const Id target = file ? create_data_set(file.get(), data_set, info, flat) : Id();
  if (!target) return false;
  write_header(target.get(), info, source, derivation);
  return H5Dwrite(target.get(), hdf5_type(info.scalar), H5S_ALL, H5S_ALL, H5P_DEFAULT, stored) >= 0 &&
         H5Fflush(file.get(), H5F_SCOPE_GLOBAL) >= 0;
}

}  // namespace

std::unique_ptr<ImageSource> open_hdf5(const fs::path& file, const std::string& data_set) {
  return std::make_unique<Hdf5Source>(file, data_set);
}

std::unique_ptr<ImageSink> create_hdf5(const fs::path& file, const std::string& data_set,
                                       const ImageInfo& info, const Derivation& derivation) {
  const auto* source = dynamic_cast<const Hdf5Header*>(info.native.get());
  const std::string name = !data_set.empty() ? data_set : source != nullptr ? source->data_set : "images";
  const ImageInfo stored_info = without_calibration(info);
  return staged_sink(file, stored_info,
                     [=, text = derivation.description](const fs::path& pending, const std::byte* stored) {
                       return encode(pending, name, stored_info, text, stored);
                     });
}

}  // namespace lucivox::formats
