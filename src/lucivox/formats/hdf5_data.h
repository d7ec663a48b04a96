#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include <lucivox/formats/hdf5_attributes.h>
#include <lucivox/image/image.h>

// HDF5 files, and the numbers in their data sets. All of it is called with hdf5_lock() held.
namespace lucivox::formats {

// Errors are thrown, not printed.
void silence_hdf5();

// Throws Error when it is no whole HDF5 file.
Id open_hdf5_file(const std::filesystem::path& file);

// Types without a twin here (half precision, 64 bit integers) are read as the floating point that holds them
// best; nothing for what is no number, or damaged.
std::optional<Scalar> scalar_of_hdf5(hid_t type);
hid_t hdf5_type(Scalar scalar);

// A data set may promise more than was ever written, which HDF5 would read as zeros. Throws Error then, and
// when its values lie in other files or are compressed in an unknown way.
void require_stored(const std::filesystem::path& file, hid_t data_set, const std::array<int64_t, 3>& shape,
                    Scalar scalar);

// A whole data set of numbers as float32, in its own shape: weights of networks. Throws Error when there is
// none of that name, it holds no numbers, too many, or was never written.
at::Tensor read_numbers(const std::filesystem::path& file, hid_t group, const std::string& name);

}  // namespace lucivox::formats
