#include <algorithm>
#include <optional>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/version.h>
#include <lucivox/nn/import_msdnet.h>
#include <lucivox/nn/networks/msdnet.h>

namespace lucivox {
namespace {

constexpr char kBlock[] = "msd_block.", kOutput[] = "final_layer.linear.";

Error no_msdnet(const std::string& from, const std::string& what) {
  return Error(fmt::format("{} holds no Mixed-Scale Dense network: {}", from, what),
               "import takes the networks of msd_pytorch and of msdnet");
}

// The weight of a layer that reads `inputs` first, and its bias, when the inputs are mapped by the layer
// itself.
void take_in_mapping(const PublicMsdnet& network, at::Tensor& weight, at::Tensor& bias) {
  if (!network.input_matrix.defined()) return;
  const int64_t channels = network.input_matrix.size(0);
  const at::Tensor of_inputs = weight.narrow(1, 0, channels).clone();
  const at::Tensor taps = of_inputs.flatten(2);  // [out, channels, taps]
  bias = bias + at::matmul(taps.sum(2), network.input_offset.to(at::kDouble));
  weight.narrow(1, 0, channels)
      .copy_(at::einsum("ock,cd->odk", {taps, network.input_matrix.to(at::kDouble)}).view_as(of_inputs));
}

std::optional<at::Tensor> find(const NamedTensors& state, const std::string& name) {
  const auto found =
      std::find_if(state.begin(), state.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == state.end()) return std::nullopt;
  return found->second;
}

// What stands before "msd_block.weight0".
std::optional<std::string> prefix_of(const NamedTensors& state) {
  const std::string first = std::string(kBlock) + "weight0";
  for (const auto& [name, tensor] : state) {
    if (name.ends_with(first)) return name.substr(0, name.size() - first.size());
  }
  return std::nullopt;
}

}  // namespace

Model import_msdnet(const PublicMsdnet& network, const std::string& from) {
  if (network.layers.empty() || network.layers[0].dim() < 4 || network.layers[0].dim() > 5)
    throw no_msdnet(from, "its first layer is no convolution of two or three dimensions");
  const at::Tensor& first = network.layers[0];
  const auto depth = static_cast<int64_t>(network.layers.size());
  const int64_t outputs = network.output.defined() && network.output.dim() == 2 ? network.output.size(0) : 0;
  if (outputs < 1 || (!network.classifies && outputs != 1))
    throw no_msdnet(from, fmt::format("it gives {} values for each pixel, which are no classes", outputs));
  MsdnetOptions options{.dimensions = first.dim() - 2,
                        .channels = first.size(1),
                        .classes = network.classifies ? outputs : 0,
                        .width = first.size(0),
                        .depth = depth,
                        .dilations = network.dilations};
  Model model{Weights(msdnet(options), 0),
              {.kind = IntensityMapping::Kind::Window, .low = 0, .high = 1, .units = Units::Unknown},
              "msdnet-imported",
              {{"imported_from", from}},
              version()};
  if (network.biases.dim() != 1 || network.biases.size(0) != depth * options.width)
    throw no_msdnet(from, fmt::format("its biases are [{}]", fmt::join(network.biases.sizes(), ", ")));

  const auto require_square = [&](const at::Tensor& matrix, const at::Tensor& offset, int64_t side) {
    if (matrix.defined() &&
        (matrix.sizes() != at::IntArrayRef{side, side} || offset.sizes() != at::IntArrayRef{side}))
      throw no_msdnet(from,
                      fmt::format("what maps {} values is [{}]", side, fmt::join(matrix.sizes(), ", ")));
  };
  require_square(network.input_matrix, network.input_offset, options.channels);
  require_square(network.output_matrix, network.output_offset, outputs);

  NamedTensors state;
  for (int64_t layer = 0; layer < depth; ++layer) {
    at::Tensor weight = network.layers[static_cast<size_t>(layer)].to(at::kDouble, false, true),
               bias = network.biases.narrow(0, layer * options.width, options.width).to(at::kDouble);
    if (weight.dim() != first.dim() || weight.size(1) < options.channels)
      throw no_msdnet(from, fmt::format("layer {} is [{}]", layer, fmt::join(weight.sizes(), ", ")));
    take_in_mapping(network, weight, bias);
    state.emplace_back(fmt::format("layer{}.weight", layer), weight);
    state.emplace_back(fmt::format("layer{}.bias", layer), bias);
  }
  at::Tensor weight = network.output.to(at::kDouble, false, true), bias = network.output_bias.to(at::kDouble);
  if (weight.size(1) < options.channels || bias.dim() != 1 || bias.size(0) != outputs)
    throw no_msdnet(from, "its last layer reads too little");
  weight = weight.unsqueeze(2);
  take_in_mapping(network, weight, bias);
  weight = weight.squeeze(2);
  if (network.output_matrix.defined()) {
    weight = at::matmul(network.output_matrix.to(at::kDouble), weight);
    bias = at::matmul(network.output_matrix.to(at::kDouble), bias) + network.output_offset.to(at::kDouble);
  }
  std::vector<int64_t> shape = weight.sizes().vec();
  shape.resize(static_cast<size_t>(first.dim()), 1);
  state.emplace_back("out.weight", weight.reshape(shape));
  state.emplace_back("out.bias", bias);
  model.weights.load_state(state);
  return model;
}

Model import_msdnet(const NamedTensors& arrays, const std::string& from) {
  const auto required = [&](const std::string& name) {
    if (auto tensor = find(arrays, name)) return *tensor;
    throw no_msdnet(from, "it has no " + name);
  };
  PublicMsdnet network;
  const at::Tensor dilations = required("dl").flatten().to(at::kLong);
  for (int64_t layer = 0; layer < dilations.size(0); ++layer) {
    network.dilations.push_back(dilations[layer].item<int64_t>());
    network.layers.push_back(required(fmt::format("f/{:05}", layer)).unsqueeze(0));
  }
  network.biases = required("o");
  network.output = required("w");
  network.output_bias = required("oo");
  const auto map_by = [&](const char* factor, const char* summand, at::Tensor& matrix, at::Tensor& offset) {
    if (!find(arrays, factor) || !find(arrays, summand)) return;
    matrix = at::diag(required(factor).flatten());
    offset = required(summand).flatten();
  };
  map_by("gam_in", "off_in", network.input_matrix, network.input_offset);
  map_by("gam_out", "off_out", network.output_matrix, network.output_offset);
  // a network that segments has no mapping of its outputs
  network.classifies =
      !network.output_matrix.defined() && network.output.dim() == 2 && network.output.size(0) > 1;
  return import_msdnet(network, from);
}

bool is_msd_pytorch(const NamedTensors& state) {
  return prefix_of(state).has_value();
}

// A Sequential of the mapping of inputs (0), the network, and behind it a softmax (1.1) or, of a regression,
// the mapping of outputs (2); or the network alone, which then classifies where it has several outputs.
Model import_msd_pytorch(const NamedTensors& state, const std::vector<int64_t>& dilations,
                         const std::string& from) {
  const std::string prefix = prefix_of(state).value_or("");
  const auto required = [&](const std::string& name) {
    if (auto tensor = find(state, prefix + name)) return *tensor;
    throw no_msdnet(from, fmt::format("it has no {}{}", prefix, name));
  };
  PublicMsdnet network;
  while (auto layer = find(state, fmt::format("{}{}weight{}", prefix, kBlock, network.layers.size())))
    network.layers.push_back(*layer);
  network.dilations = dilations;
  network.biases = required(std::string(kBlock) + "bias");
  network.output = required(std::string(kOutput) + "weight").flatten(1);
  network.output_bias = required(std::string(kOutput) + "bias");
  const auto map_by = [&](const char* module, at::Tensor& matrix, at::Tensor& offset) {
    const auto weight = find(state, fmt::format("{}.weight", module)),
               bias = find(state, fmt::format("{}.bias", module));
    if (!weight || !bias) return;
    matrix = weight->flatten(1);
    offset = *bias;
  };
  if (!prefix.empty()) {
    map_by("0", network.input_matrix, network.input_offset);
    map_by("2", network.output_matrix, network.output_offset);
  }
  network.classifies =
      !network.output_matrix.defined() && network.output.dim() == 2 && network.output.size(0) > 1;
  return import_msdnet(network, from);
}

}  // namespace lucivox
