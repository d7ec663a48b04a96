#pragma once

#include <array>
#include <mutex>
#include <string>
#include <utility>

#include <hdf5.h>

#include <lucivox/image/image.h>

// Identifiers of HDF5 objects, and the attributes of data sets.
namespace lucivox::formats {

// The library keeps global state and is often built without its own lock: hold this one around all calls.
std::mutex& hdf5_lock();

// An identifier of any kind (file, data set, space, ...), released at the end.
class Id {
 public:
  Id() = default;
  explicit Id(hid_t id) : id_(id) {}
  ~Id() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Id& operator=(Id&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }

  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
};

// References are left out: what they point to is not copied along.
void copy_attributes(hid_t from, hid_t to);

// Empty when there is no such text.
std::string text_attribute(hid_t object, const char* name);
void set_text_attribute(hid_t object, const char* name, const std::string& value);

// The size of a voxel X, Y, Z in the attribute "element_size_um"; 0 where it is not told.
std::array<double, 3> element_size_mm(hid_t data_set);
void set_element_size_mm(hid_t data_set, const std::array<double, 3>& size_mm);
// The same as the spacing of an image; an unknown one is not written.
void read_spacing(hid_t data_set, ImageInfo& info);
void write_spacing(hid_t data_set, const ImageInfo& info);

}  // namespace lucivox::formats
