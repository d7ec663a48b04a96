// What a user of `lucivox enhance`, `evaluate`, `info` and `import` does.
#include <algorithm>
#include <iterator>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/networks/ddnet.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// A network of one convolution that adds 10 HU to everything.
void write_plus_ten(const fs::path& path) {
  Graph g;
  g.convolution(g.input(1), "plus", 1, 1);
  Model model{Weights(g, 0), {}, "plus-ten", {}, "0"};
  const torch::NoGradGuard no_grad;
  model.weights.weight("plus.weight").fill_(1);
  model.weights.weight("plus.bias").fill_(10.0 / (model.intensity.high - model.intensity.low));
  save_model(path, model);
}

class EnhanceCommand : public ::testing::Test {
 protected:
  void SetUp() override { write_plus_ten(folder_ / "model.safetensors"); }

  Outcome enhance(const fs::path& in, const fs::path& out) const {
    return run_command(
        {"enhance", (folder_ / "model.safetensors").string(), in.string(), out.string(), "--quiet"});
  }

  TemporaryFolder folder_;
};

TEST_F(EnhanceCommand, GivesEveryKindBackWithNewValues) {
  const at::Tensor values = (torch::randn({2, 20, 30}) * 300).round();
  for (const char* kind : {".nii", ".nii.gz", ".nrrd", ".mha", ".tif", ".h5", ""}) {
    const fs::path in = folder_ / fmt::format("in{}", kind), out = folder_ / fmt::format("out{}", kind);
    write_image(in, values);
    const Outcome outcome = enhance(in, out);
    ASSERT_EQ(outcome.code, 0) << kind << ": " << outcome.error;
    EXPECT_LT((read_image(out) - values - 10).abs().max().item<double>(), 1e-3) << kind;
  }
}

TEST_F(EnhanceCommand, TakesAFolderOfSingleImages) {
  write_pairs(folder_ / "data", 3, 32);
  const Outcome outcome = enhance(folder_ / "data/LQ", folder_ / "out");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_LT((read_image(folder_ / "out/2.tif") - read_image(folder_ / "data/LQ/2.tif") - 10)
                .abs()
                .max()
                .item<double>(),
            1e-3);
}

// Images are what their content says; the enhanced ones are of the same kind under the same names, such as
// the UID of a series.
TEST_F(EnhanceCommand, KeepsNamesThatSayNothing) {
  write_pairs(folder_ / "data", 2, 32);
  fs::rename(folder_ / "data/LQ/1.tif", folder_ / "data/LQ/slice.img");
  ASSERT_EQ(enhance(folder_ / "data/LQ", folder_ / "out").code, 0);
  EXPECT_EQ(read_image(folder_ / "out/slice.img").sizes(), at::IntArrayRef({1, 32, 32}));
  for (const char* uid : {"1.2.840.113619.2.55", "1.2.840.113619.2.56"}) {
    fs::create_directories(folder_ / "archive");
    write_image(folder_ / "series", torch::zeros({3, 32, 32}));
    fs::rename(folder_ / "series", folder_ / "archive" / uid);
  }
  const Outcome outcome = enhance(folder_ / "archive", folder_ / "enhanced");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(read_image(folder_ / "enhanced/1.2.840.113619.2.56").size(0), 3);
}

TEST_F(EnhanceCommand, StoresTheUnitsThatItTookValuesToBeIn) {
  write_image(folder_ / "in.tif", torch::zeros({1, 16, 16}), Scalar::Float32, Units::Unknown);
  ASSERT_EQ(open(folder_ / "in.tif")->info().units, Units::Unknown);
  ASSERT_EQ(enhance(folder_ / "in.tif", folder_ / "out.tif").code, 0);
  EXPECT_EQ(open(folder_ / "out.tif")->info().units, Units::HU);
}

// NIfTI has no place for the units of its values, TIFF has.
TEST_F(EnhanceCommand, NotesOnceThatUnitsAreMissing) {
  const std::string note = "does not store its units";
  for (const auto& [kind, notes] : {std::pair{".nii", 1}, {".tif", 0}}) {
    const fs::path in = folder_ / "in";
    fs::create_directories(in);
    for (const char* name : {"1", "2", "3"})
      write_image(in / (std::string(name) + kind), torch::zeros({1, 16, 16}));
    const Outcome outcome = run_command({"enhance", (folder_ / "model.safetensors").string(), in.string(),
                                         (folder_ / "out").string(), "--overwrite"});
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    const size_t first = outcome.error.find(note), last = outcome.error.rfind(note);
    EXPECT_EQ(first != std::string::npos, notes == 1) << outcome.error;
    EXPECT_EQ(first, last) << outcome.error;
    fs::remove_all(in);
  }
  EXPECT_EQ(open(folder_ / "out/1.tif")->info().units, Units::HU);
}

// A slice becomes the one before it by a network that sees three: s10 must become s9, and not s1.
TEST_F(EnhanceCommand, ReadsNeighboursInNaturalOrder) {
  Graph g;
  g.convolution(g.input(3), "above", 1, 1);
  Model model{Weights(g, 0), {}, "above", {}, "0"};
  {
    const torch::NoGradGuard no_grad;
    model.weights.weight("above.weight").copy_(torch::tensor({1.0F, 0.0F, 0.0F}).view({1, 3, 1, 1}));
    model.weights.weight("above.bias").zero_();
  }
  save_model(folder_ / "model.safetensors", model);
  fs::create_directory(folder_ / "in");
  for (int64_t i = 1; i <= 12; ++i)
    write_image(folder_ / fmt::format("in/s{}.tif", i), torch::full({1, 16, 16}, static_cast<double>(i)));
  const Outcome outcome = enhance(folder_ / "in", folder_ / "out");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  for (int64_t i = 1; i <= 12; ++i) {
    EXPECT_NEAR(read_image(folder_ / fmt::format("out/s{}.tif", i)).mean().item<double>(),
                static_cast<double>(std::max<int64_t>(i - 1, 1)), 1e-3)
        << i;
  }
}

TEST_F(EnhanceCommand, LeavesOutStraysAndSaysSo) {
  write_pairs(folder_ / "data", 3, 32);
  const fs::path in = folder_ / "data/LQ";
  write_image(in / "overview.png", torch::zeros({1, 8, 8}), Scalar::UInt8);
  for (const char* name : {"notes.txt", "Thumbs.db", "z.log"}) write_file(in / name, "no image");
  const Outcome outcome = run_command(
      {"enhance", (folder_ / "model.safetensors").string(), in.string(), (folder_ / "out").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(
      outcome.error.find("left out 4 of 7 entries, which are not TIFF: Thumbs.db, notes.txt, overview.png"),
      std::string::npos)
      << outcome.error;
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "out"), {}), 3);

  write_image(folder_ / "series", torch::zeros({3, 32, 32}));
  fs::copy(in / "0.tif", folder_ / "series/0.tif");
  const Outcome series = run_command({"enhance", (folder_ / "model.safetensors").string(),
                                      (folder_ / "series").string(), (folder_ / "enhanced").string()});
  ASSERT_EQ(series.code, 0) << series.error;
  EXPECT_NE(series.error.find("left out 1 of 4 entries, which are not DICOM: 0.tif"), std::string::npos)
      << series.error;
  EXPECT_EQ(read_image(folder_ / "enhanced").size(0), 3);
}

// Files are replaced, folders on request only; nothing of the old contents is mixed with the new.
TEST_F(EnhanceCommand, ReplacesFilesAndOnRequestFolders) {
  write_pairs(folder_ / "data", 2, 32);
  write_image(folder_ / "series", torch::zeros({2, 32, 32}));
  write_file(folder_ / "out.tif", "old");
  ASSERT_EQ(enhance(folder_ / "data/LQ/0.tif", folder_ / "out.tif").code, 0);
  EXPECT_EQ(read_image(folder_ / "out.tif").sizes(), at::IntArrayRef({1, 32, 32}));
  for (const char* in : {"data/LQ", "series"}) {
    const fs::path out = folder_ / "out";
    fs::create_directories(out / "old");
    write_file(out / "old/kept", "precious");
    const Outcome refused = enhance(folder_ / in, out);
    EXPECT_TRUE(is_clear_error(refused)) << refused.error;
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.error.find("out is not empty"), std::string::npos) << refused.error;
    EXPECT_NE(refused.error.find("--overwrite"), std::string::npos) << refused.error;
    EXPECT_EQ(read_file(out / "old/kept"), "precious");
    const Outcome replaced = run_command({"enhance", (folder_ / "model.safetensors").string(),
                                          (folder_ / in).string(), out.string(), "--overwrite"});
    ASSERT_EQ(replaced.code, 0) << replaced.error;
    EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 2) << in;
  }
}

// Two real neighbouring chest slices: integers out are integers in plus ten, and the padding stays.
TEST_F(EnhanceCommand, KeepsARealChestSeriesQuantitative) {
  const fs::path scan = fs::path(LUCIVOX_SCANS) / "chest-ct";
  if (!fs::exists(scan)) GTEST_SKIP() << "no real scans at " << scan;
  const Outcome outcome = enhance(scan, folder_ / "series");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const auto before = open(scan), after = open(folder_ / "series");
  EXPECT_EQ(after->info().shape, before->info().shape);
  EXPECT_EQ(after->info().spacing_mm, before->info().spacing_mm);
  EXPECT_EQ(after->info().origin_mm, before->info().origin_mm);
  EXPECT_EQ(after->info().direction, before->info().direction);
  const at::Tensor hu = read_image(scan), enhanced = read_image(folder_ / "series");
  const at::Tensor padding = hu <= -2000;
  EXPECT_TRUE(at::equal(enhanced.masked_select(padding), hu.masked_select(padding)));
  EXPECT_TRUE(at::equal(enhanced.masked_select(~padding), hu.masked_select(~padding) + 10));
}

TEST(InfoCommand, DescribesAFolderOfImages) {
  const TemporaryFolder folder;
  write_pairs(folder / "data", 3, 32);
  write_file(folder / "data/HQ/notes.txt", "no image");
  const Outcome outcome = run_command({"info", (folder / "data/HQ").string(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("format"), "TIFF");
  EXPECT_EQ(json.at("images"), 3);
  EXPECT_EQ(json.at("left_out"), Json::array({"notes.txt"}));
  EXPECT_EQ(json.at("first_image").at("shape_zyx"), Json::array({1, 32, 32}));
  const Outcome empty = run_command({"info", (folder / "data").string()});
  EXPECT_TRUE(is_clear_error(empty)) << empty.error;
}

TEST(ImportCommand, MakesAModelOfThePublicWeights) {
  const TemporaryFolder folder;
  const Outcome outcome =
      run_command({"import", LUCIVOX_GOLDEN "/ddnet.pt", (folder / "m.safetensors").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(load_model(folder / "m.safetensors").weights.graph().parameter_count(), 566'451);
}

TEST(ImportCommand, MakesAModelOfKerasGeneratorWeights) {
  const TemporaryFolder folder;
  const std::string model = (folder / "m.safetensors").string();
  const Outcome outcome = run_command({"import", LUCIVOX_GOLDEN "/tomogan_keras.h5", model});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(load_model(folder / "m.safetensors").weights.graph().architecture(), "tomogan");
  write_image(folder / "noisy.tif", torch::rand({3, 24, 40}));
  const Outcome enhanced =
      run_command({"enhance", model, (folder / "noisy.tif").string(), (folder / "clean.tif").string()});
  EXPECT_EQ(enhanced.code, 0) << enhanced.error;
  EXPECT_EQ(read_image(folder / "clean.tif").sizes(), at::IntArrayRef({3, 24, 40}));
}

}  // namespace
}  // namespace lucivox
