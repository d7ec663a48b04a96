#pragma once

#include <string>
#include <vector>

#include <lucivox/nn/model.h>

namespace lucivox {

// A Mixed-Scale Dense network as one of the public codes keeps it; both mirror every layer at its edge.
struct PublicMsdnet {
  std::vector<at::Tensor> layers;  // weights [width, channels before it, (3,) 3, 3]
  at::Tensor biases;               // [depth * width]
  at::Tensor output, output_bias;  // [outputs, channels and maps], [outputs]
  std::vector<int64_t> dilations;  // of the layers
  bool classifies = false;         // a softmax follows
  // What inputs are mapped by before the first layer, and outputs behind the last one: matrix * value +
  // offset. Undefined: by nothing.
  at::Tensor input_matrix = {}, input_offset = {};    // [channels, channels], [channels]
  at::Tensor output_matrix = {}, output_offset = {};  // [outputs, outputs], [outputs]
};

// A model that computes the same; the mappings become part of its weights, which mirrored edges allow. `from`
// is for messages. Throws Error when the arrays make no network.
Model import_msdnet(const PublicMsdnet& network, const std::string& from);

// From the arrays of msdnet's files (formats/msdnet.h): each layer's filters are "f/00000" and so on, its
// offsets "o", the last layer's "w" and "oo".
Model import_msdnet(const NamedTensors& arrays, const std::string& from);

// From a state dict of msd_pytorch ("msd_block.weight0", ...), which does not tell the dilations; those given
// are repeated. Throws Error when it is of another network.
bool is_msd_pytorch(const NamedTensors& state);
Model import_msd_pytorch(const NamedTensors& state, const std::vector<int64_t>& dilations,
                         const std::string& from);

}  // namespace lucivox
