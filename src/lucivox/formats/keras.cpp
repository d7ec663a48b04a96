#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/hdf5_data.h>
#include <lucivox/formats/keras.h>

namespace lucivox {
namespace {

using formats::Id;

constexpr hsize_t kMaxNames = 10000;

Error not_keras(const std::filesystem::path& path, const std::string& what) {
  return Error(fmt::format("{}: {}", path.string(), what),
               "import takes the HDF5 files that Keras's model.save() and save_weights() write");
}

// A list of texts, of fixed or of any length; empty when there is no such attribute.
std::vector<std::string> names_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return {};
  const Id attribute(H5Aopen(object, name, H5P_DEFAULT));
  const Id type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (H5Tget_class(type.get()) != H5T_STRING || count < 1 || static_cast<hsize_t>(count) > kMaxNames)
    return {};
  std::vector<std::string> names;
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> texts(static_cast<size_t>(count), nullptr);
    if (H5Aread(attribute.get(), type.get(), texts.data()) < 0) return {};
    for (const char* text : texts) names.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, texts.data());
    return names;
  }
  const size_t length = H5Tget_size(type.get());
  std::vector<char> texts(length * static_cast<size_t>(count));
  if (H5Aread(attribute.get(), type.get(), texts.data()) < 0) return {};
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const char* text = texts.data() + i * length;
    names.emplace_back(text, strnlen(text, length));
  }
  return names;
}

// "conv2d_3/kernel:0" is conv2d_3/kernel, whatever groups stand before it.
std::string plain_name(const std::string& layer, std::string name) {
  name = name.substr(name.rfind('/') + 1);
  return layer + "/" + name.substr(0, name.find(':'));
}

}  // namespace

std::vector<std::pair<std::string, at::Tensor>> read_keras_weights(const std::filesystem::path& path) {
  require_exists(path, "weights");
  const std::lock_guard lock(formats::hdf5_lock());
  formats::silence_hdf5();
  const Id file = formats::open_hdf5_file(path);
  const bool whole_model = H5Lexists(file.get(), "model_weights", H5P_DEFAULT) > 0;
  const Id root(H5Gopen2(file.get(), whole_model ? "model_weights" : "/", H5P_DEFAULT));
  const std::vector<std::string> layers =
      root ? names_attribute(root.get(), "layer_names") : std::vector<std::string>();
  if (layers.empty()) throw not_keras(path, "it lists no layers");
  std::vector<std::pair<std::string, at::Tensor>> weights;
  for (const std::string& layer : layers) {
    const Id group(H5Gopen2(root.get(), layer.c_str(), H5P_DEFAULT));
    if (!group) throw not_keras(path, fmt::format("it has no layer '{}'", layer));
    for (const std::string& name : names_attribute(group.get(), "weight_names"))
      weights.emplace_back(plain_name(layer, name), formats::read_numbers(path, group.get(), name));
  }
  return weights;
}

}  // namespace lucivox
