#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/exec/network.h>
#include <lucivox/nn/import.h>
#include <lucivox/nn/import_msdnet.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/program/import.h>

namespace lucivox {
namespace {

constexpr char kKeras[] = LUCIVOX_GOLDEN "/tomogan_keras.h5";  // make_keras.py

TEST(ImportKeras, ComputesWhatKerasDoes) {
  Model model = import_weights(kKeras);
  EXPECT_EQ(model.weights.graph().architecture(), "tomogan");
  EXPECT_EQ(model.weights.graph().channels(0), 3);
  EXPECT_EQ(model.intensity.units, Units::Unknown);
  const TensorFile golden = read_safetensors(LUCIVOX_GOLDEN "/tomogan_keras.safetensors");
  const auto named = [&](const std::string& name) {
    return std::find_if(golden.tensors.begin(), golden.tensors.end(),
                        [&](const auto& entry) { return entry.first == name; })
        ->second;
  };
  const torch::NoGradGuard no_grad;
  EXPECT_LT(relative_difference(Network(model.weights.share()).forward(named("input"), Mode::Evaluation),
                                named("output")),
            1e-5);
}

TEST(ImportKeras, RefusesWhatIsDamagedOrAnother) {
  TemporaryFolder folder;
  const std::string whole = read_file(kKeras);
  for (const size_t length : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(folder / "cut.h5", whole.substr(0, length));
    EXPECT_THROW(import_weights(folder / "cut.h5"), Error) << length;
  }
  EXPECT_THROW(import_weights(folder / "none.h5"), Error);
  EXPECT_THROW(import_weights(LUCIVOX_GOLDEN "/dxchange.h5"), Error);
}

// msdnet's files and outputs are its own, those of msd_pytorch by its names (make_msdnet_imports.py). Both
// map what they read and give; the model does it by its weights.
TEST(ImportMsdnet, ComputesWhatThePublicCodesDo) {
  const TensorFile golden = read_safetensors(LUCIVOX_GOLDEN "/msdnet_imports.safetensors");
  const auto named = [&](const std::string& name) {
    return std::find_if(golden.tensors.begin(), golden.tensors.end(),
                        [&](const auto& entry) { return entry.first == name; })
        ->second;
  };
  const torch::NoGradGuard no_grad;
  for (const std::string file : {"msdnet_segmentation.h5", "msdnet_regression.h5", "msd_pytorch_classes.pt",
                                 "msd_pytorch_values.pt"}) {
    const std::string name = file.substr(0, file.find('.'));
    Model model = import_weights(std::string(LUCIVOX_GOLDEN "/") + file, {.dilations = {1, 2, 4, 8}});
    EXPECT_EQ(model.weights.graph().architecture(), "msdnet");
    const at::Tensor made = Network(model.weights.share()).forward(named(name + ".input"), Mode::Evaluation);
    EXPECT_LT(relative_difference(made, named(name + ".output")), 1e-5) << name;
  }
}

TEST(ImportMsdnet, RefusesWhatIsDamaged) {
  TemporaryFolder folder;
  for (const std::string file : {"msdnet_regression.h5", "msd_pytorch_classes.pt"}) {
    const std::string whole = read_file(std::string(LUCIVOX_GOLDEN "/") + file);
    for (const size_t length : {whole.size() / 3, whole.size() - 1}) {
      write_file(folder / file, whole.substr(0, length));
      EXPECT_THROW(import_weights(folder / file), Error) << file << length;
    }
  }
  EXPECT_THROW(import_weights(LUCIVOX_GOLDEN "/msd_pytorch_classes.pt", {.dilations = {0}}), Error);
}

// A network whose arrays do not fit each other.
TEST(ImportMsdnet, RefusesWhatMakesNoNetwork) {
  const PublicMsdnet sound{.layers = {torch::rand({1, 1, 3, 3}), torch::rand({1, 2, 3, 3})},
                           .biases = torch::rand({2}),
                           .output = torch::rand({1, 3}),
                           .output_bias = torch::rand({1}),
                           .dilations = {1, 2}};
  EXPECT_NO_THROW(import_msdnet(sound, "there"));
  const auto refused = [&](auto change) {
    PublicMsdnet other = sound;
    change(other);
    EXPECT_THROW(import_msdnet(other, "there"), Error);
  };
  refused([](PublicMsdnet& n) { n.layers.clear(); });
  refused([](PublicMsdnet& n) { n.layers[1] = torch::rand({1, 1, 3, 3}); });
  refused([](PublicMsdnet& n) { n.layers[1] = torch::rand({1, 2, 3}); });
  refused([](PublicMsdnet& n) { n.biases = torch::rand({3}); });
  refused([](PublicMsdnet& n) { n.output = torch::rand({2, 3}); });
  refused([](PublicMsdnet& n) { n.output = torch::rand({1, 4}); });
  refused([](PublicMsdnet& n) { n.output_bias = torch::rand({2}); });
  refused([](PublicMsdnet& n) { n.dilations.clear(); });
  refused([](PublicMsdnet& n) { n.input_matrix = n.input_offset = torch::rand({2}); });
  refused([](PublicMsdnet& n) { n.biases[0] = NAN; });
}

// Names do not matter, order and shapes do.
TEST(ImportTomogan, TakesLayersInTheirOrder) {
  Network network(tomogan({.depth = 1}), 5);
  NamedTensors layers;
  for (const auto& [name, tensor] : network.weights().state())
    layers.emplace_back("layer" + std::to_string(layers.size()), tensor.detach());
  Model model = import_tomogan(layers, "there");
  const at::Tensor x = torch::rand({1, 1, 16, 24});
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(Network(model.weights.share()).forward(x, Mode::Evaluation),
                        network.forward(x, Mode::Evaluation)));

  EXPECT_THROW(import_tomogan({}, "nothing"), Error);
  EXPECT_THROW(import_tomogan({layers.begin(), layers.end() - 1}, "one less"), Error);
  std::swap(layers[2], layers[4]);
  EXPECT_THROW(import_tomogan(layers, "two exchanged"), Error);
}

}  // namespace
}  // namespace lucivox
