#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tests/error_of.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/exec/network.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

Model small_model() {
  return {Weights(ddnet({.growth = 2}), 1), {.low = -500, .high = 700}, "small", {{"epochs", 3}}, "0"};
}

TEST(Model, KeepsNetworkMappingAndHistory) {
  const TemporaryFolder folder;
  Model model = small_model();
  save_model(folder / "m.safetensors", model);
  Model read = load_model(folder / "m.safetensors");
  EXPECT_EQ(read.name, "small");
  EXPECT_EQ(read.intensity.low, -500);
  EXPECT_EQ(read.intensity.high, 700);
  EXPECT_EQ(read.training.at("epochs"), 3);
  EXPECT_EQ(to_json(read.weights.graph()), to_json(model.weights.graph()));
  const torch::NoGradGuard no_grad;
  const at::Tensor x = torch::randn({1, 1, 16, 16});
  EXPECT_TRUE(at::equal(Network(read.weights.share()).forward(x, Mode::Evaluation),
                        Network(model.weights.share()).forward(x, Mode::Evaluation)));
}

TEST(Model, RefusesWeightsWithoutADescription) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w.safetensors", {small_model().weights.state(), {}});
  EXPECT_THROW(load_model(folder / "w.safetensors"), Error);
}

TEST(Model, RefusesWeightsOfAnotherArchitecture) {
  const TemporaryFolder folder;
  save_model(folder / "m.safetensors", small_model());
  TensorFile file = read_safetensors(folder / "m.safetensors");
  file.tensors = Weights(ddnet({.growth = 4}), 1).state();
  write_safetensors(folder / "m.safetensors", file);
  EXPECT_THROW(load_model(folder / "m.safetensors"), Error);
}

// Files of the first lucivox have no number; those of a later one may hold what this one does not know.
TEST(Model, OpensFormatsUpToItsOwn) {
  const TemporaryFolder folder;
  save_model(folder / "m.safetensors", small_model());
  TensorFile file = read_safetensors(folder / "m.safetensors");
  Json about = Json::parse(file.metadata.at("lucivox"));
  EXPECT_EQ(about.at("format"), 2);
  const auto rewrite = [&](const Json& changed) {
    file.metadata.at("lucivox") = changed.dump();
    write_safetensors(folder / "m.safetensors", file);
  };
  about.erase("format");
  rewrite(about);
  EXPECT_EQ(load_model(folder / "m.safetensors").name, "small");
  about["format"] = 3;
  rewrite(about);
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              ::testing::HasSubstr("its format has number 3, this lucivox reads 1 to 2"));
}

TEST(Model, RefusesMissingAndTruncatedFiles) {
  const TemporaryFolder folder;
  EXPECT_THROW(load_model(folder / "none.safetensors"), Error);
  save_model(folder / "m.safetensors", small_model());
  const std::string bytes = read_file(folder / "m.safetensors");
  for (const size_t length : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(folder / "cut.safetensors", bytes.substr(0, length));
    EXPECT_THROW(load_model(folder / "cut.safetensors"), Error) << length;
  }
}

}  // namespace
}  // namespace lucivox
