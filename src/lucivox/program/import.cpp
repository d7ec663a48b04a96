#include <lucivox/formats/keras.h>
#include <lucivox/formats/msdnet.h>
#include <lucivox/nn/import_msdnet.h>
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

Model import_weights(const std::filesystem::path& path, const ImportOptions& options) {
  const std::string kind = path.extension().string(), name = path.filename().string();
  if (kind != ".h5" && kind != ".hdf5") return import_pytorch(path, options);
  if (is_msdnet_file(path)) return import_msdnet(read_msdnet(path), name);
  return import_tomogan(as_pytorch(read_keras_weights(path)), name);
}

}  // namespace lucivox
