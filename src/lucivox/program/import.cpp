#include <lucivox/formats/keras.h>
#include <lucivox/nn/import.h>
#include <lucivox/program/import.h>

namespace lucivox {
namespace {

// Keras keeps [kernel, kernel, in, out].
NamedTensors as_pytorch(const NamedTensors& keras) {
  NamedTensors layers;
  for (const auto& [name, tensor] : keras)
    layers.emplace_back(name, tensor.dim() == 4 ? tensor.permute({3, 2, 0, 1}).contiguous() : tensor);
  return layers;
}

}  // namespace

Model import_weights(const std::filesystem::path& path) {
  const std::string kind = path.extension().string();
  if (kind == ".h5" || kind == ".hdf5")
    return import_tomogan(as_pytorch(read_keras_weights(path)), path.filename().string());
  return import_pytorch(path);
}

}  // namespace lucivox
