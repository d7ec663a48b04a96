// What a user of `lucivox enhance` and `import` does.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/torch.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/model.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// A network of one convolution that adds 10 HU to everything.
void write_plus_ten(const fs::path& path) {
  Graph g;
  g.convolution(g.input(1), "plus", 1, 1);
  Model model{Network(g, 0), {}, "plus-ten", {}, "0"};
  const torch::NoGradGuard no_grad;
  model.network.weight("plus.weight").fill_(1);
  model.network.weight("plus.bias").fill_(10.0 / (model.intensity.high - model.intensity.low));
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

// NIfTI has no place for the units of its values, TIFF has.
TEST_F(EnhanceCommand, NotesOnceThatUnitsAreMissing) {
  const std::string note = "does not store its units";
  for (const auto& [kind, notes] : {std::pair{".nii", 1}, {".tif", 0}}) {
    const fs::path in = folder_ / "in";
    fs::create_directories(in);
    for (const char* name : {"1", "2", "3"})
      write_image(in / (std::string(name) + kind), torch::zeros({1, 16, 16}));
    const Outcome outcome = run_command(
        {"enhance", (folder_ / "model.safetensors").string(), in.string(), (folder_ / "out").string()});
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    const size_t first = outcome.error.find(note), last = outcome.error.rfind(note);
    EXPECT_EQ(first != std::string::npos, notes == 1) << outcome.error;
    EXPECT_EQ(first, last) << outcome.error;
    fs::remove_all(in);
  }
  EXPECT_EQ(open(folder_ / "out/1.tif")->info().units, Units::HU);
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

TEST(ImportCommand, MakesAModelOfThePublicWeights) {
  const TemporaryFolder folder;
  const Outcome outcome =
      run_command({"import", LUCIVOX_GOLDEN "/ddnet.pt", (folder / "m.safetensors").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(load_model(folder / "m.safetensors").network.graph().parameter_count(), 566'451);
}

TEST(ImportCommand, MakesAModelOfKerasGeneratorWeights) {
  const TemporaryFolder folder;
  const std::string model = (folder / "m.safetensors").string();
  const Outcome outcome = run_command({"import", LUCIVOX_GOLDEN "/tomogan_keras.h5", model});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(load_model(folder / "m.safetensors").network.graph().architecture(), "tomogan");
  write_image(folder / "noisy.tif", torch::rand({3, 24, 40}));
  const Outcome enhanced =
      run_command({"enhance", model, (folder / "noisy.tif").string(), (folder / "clean.tif").string()});
  EXPECT_EQ(enhanced.code, 0) << enhanced.error;
  EXPECT_EQ(read_image(folder / "clean.tif").sizes(), at::IntArrayRef({3, 24, 40}));
}

}  // namespace
}  // namespace lucivox
