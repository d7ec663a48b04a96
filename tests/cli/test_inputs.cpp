// No command writes onto what it reads: it is refused at once, and every byte stays.
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/projections.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/networks/ddnet.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class Inputs : public ::testing::Test {
 protected:
  void SetUp() override { save_model(folder_ / "model.safetensors", model()); }

  static Model model() { return {Weights(ddnet({.growth = 2}), 1), {}, "m", {}, "0"}; }
  static at::Tensor noise() { return torch::randn({1, 32, 32}) * 100; }
  // Of 4 views, 3 rows and 16 columns.
  static Scan scan() {
    return {torch::full({4, 3, 16}, 2.0F),
            torch::full({1, 3, 16}, 3.0F),
            torch::full({1, 3, 16}, 1.0F),
            {{0, 0.7, 1.5, 2.2}, 0.01}};
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Every entry with what is in it.
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      all[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path()) : "";
    return all;
  }

  // Refused as misuse with a message that names both, and nothing is changed or added.
  void expect_refused(const std::vector<std::string>& arguments, const std::string& out,
                      const std::string& in) const {
    const auto before = everything();
    const Outcome outcome = run_command(arguments);
    const std::string what = fmt::format("{} ...: {}", arguments[0], outcome.error);
    EXPECT_TRUE(is_clear_error(outcome)) << what;
    EXPECT_EQ(outcome.code, 2) << what;
    EXPECT_NE(outcome.error.find("cannot write " + path(out)), std::string::npos) << what;
    EXPECT_NE(outcome.error.find("the input " + path(in)), std::string::npos) << what;
    EXPECT_NE(outcome.error.find("hint: choose another "), std::string::npos) << what;
    EXPECT_TRUE(everything() == before) << what;
  }
  void expect_enhance_refused(const std::string& in, const std::string& out) const {
    const std::string file = in.substr(0, in.find(":/"));
    expect_refused({"enhance", path("model.safetensors"), path(in), path(out)}, out, file);
    expect_refused({"enhance", path("model.safetensors"), path(in), path(out), "--overwrite"}, out, file);
  }

  TemporaryFolder folder_;
};

TEST_F(Inputs, StayWhenEnhanced) {
  for (const char* name : {"a.tif", "a.nii.gz", "a.h5"}) {
    write_image(folder_ / name, noise());
    expect_enhance_refused(name, name);
  }
  expect_enhance_refused("a.h5", "a.h5:/enhanced");
  expect_enhance_refused("a.h5:/images", "a.h5");
  fs::create_symlink("a.tif", folder_ / "symbolic.tif");
  fs::create_hard_link(folder_ / "a.tif", folder_ / "hard.tif");
  expect_enhance_refused("a.tif", "symbolic.tif");
  expect_enhance_refused("symbolic.tif", "a.tif");
  expect_enhance_refused("a.tif", "hard.tif");
}

TEST_F(Inputs, StayWhenAFolderIsEnhanced) {
  write_pairs(folder_ / "data", 2, 32);
  write_image(folder_ / "series", torch::randn({2, 32, 32}) * 100);
  for (const char* folder : {"data/LQ", "series"}) {
    expect_enhance_refused(folder, folder);
    expect_enhance_refused(folder, fmt::format("{}/out", folder));
    expect_enhance_refused(folder, fmt::format("{}/new/out", folder));
  }
  expect_enhance_refused("series", "series/out.tif");
  const auto before = everything();
  const Outcome here = run_command({"enhance", path("model.safetensors"), ".", "out"}, folder_ / "series");
  EXPECT_EQ(here.code, 2) << here.error;
  EXPECT_NE(here.error.find("cannot write out: it is inside the input ."), std::string::npos) << here.error;
  EXPECT_TRUE(everything() == before);
  // the output folder would be replaced with everything in it
  expect_enhance_refused("data/LQ", "data");
  expect_enhance_refused("data/LQ/0.tif", "data/LQ");
  fs::create_directories(folder_ / "results");
  save_model(folder_ / "results/model.safetensors", model());
  expect_refused(
      {"enhance", path("results/model.safetensors"), path("series"), path("results"), "--overwrite"},
      "results", "results/model.safetensors");
}

TEST_F(Inputs, StayWhenReconstructed) {
  write_dxchange(folder_ / "scan.h5", scan());
  const std::vector<std::vector<std::string>> ways{{}, {"--resume"}, {"--centre-sweep", "7,9,1"}};
  for (const auto& way : ways) {
    for (const char* out : {"scan.h5", "scan.h5:/slices"}) {
      std::vector<std::string> arguments{"reconstruct", path("scan.h5"), path(out)};
      arguments.insert(arguments.end(), way.begin(), way.end());
      expect_refused(arguments, out, "scan.h5");
    }
  }
}

TEST_F(Inputs, StayWhenADescriptionNamesThem) {
  fs::create_directories(folder_ / "proj");
  for (int64_t view = 0; view < 4; ++view)
    write_image(folder_ / "proj" / fmt::format("{}.tif", view), torch::ones({1, 3, 16}));
  write_image(folder_ / "flats.tif", torch::full({1, 3, 16}, 3.0F));
  write_image(folder_ / "darks.h5:/darks", torch::zeros({1, 3, 16}));
  write_file(folder_ / "angles.txt", "0\n45\n90\n135\n");
  write_file(
      folder_ / "scan.toml",
      "projections = 'proj'\nflats = 'flats.tif'\ndarks = 'darks.h5:/darks'\nangles_file = 'angles.txt'\n");
  const std::vector<std::pair<std::string, std::string>> refused{
      {"proj", "proj"},         {"proj/4.tif", "proj"},       {"flats.tif", "flats.tif"},
      {"darks.h5", "darks.h5"}, {"angles.txt", "angles.txt"}, {"scan.toml", "scan.toml"}};
  for (const auto& [out, in] : refused) {
    expect_refused({"reconstruct", path("scan.toml"), path(out)}, out, in);
    expect_refused({"reconstruct", path("scan.toml"), path(out), "--centre-sweep", "7,9,1"}, out, in);
  }
}

TEST_F(Inputs, StayWhenScannedAgain) {
  fs::create_directories(folder_ / "ct");
  write_image(folder_ / "ct/1.nii.gz", torch::zeros({1, 32, 32}));
  write_image(folder_ / "series", torch::zeros({2, 32, 32}));
  const std::vector<std::pair<std::string, std::string>> refused{
      {"ct/1.nii.gz", "ct/1.nii.gz"}, {"ct", "ct/1.nii.gz"}, {"series", "series"}, {"series/out", "series"}};
  for (const auto& [out, in] : refused) {
    expect_refused({"simulate", "ct", path(out), "--from", path(in)}, out, in);
    expect_refused({"simulate", "ct", path(out), "--from", path(in), "--overwrite"}, out, in);
  }
}

TEST_F(Inputs, StayWhenPrunedOrImported) {
  const std::string name = "model.safetensors";
  expect_refused({"prune", path(name), path(name), "--criterion", "random"}, name, name);
  expect_refused({"prune", path(name), path(name), "--expand"}, name, name);
  fs::copy(LUCIVOX_GOLDEN "/ddnet.pt", folder_ / "weights.pt");
  fs::create_symlink("weights.pt", folder_ / "link.safetensors");
  expect_refused({"import", path("weights.pt"), path("weights.pt")}, "weights.pt", "weights.pt");
  expect_refused({"import", path("weights.pt"), path("link.safetensors")}, "link.safetensors", "weights.pt");
}

TEST_F(Inputs, StayWhenTrainedOn) {
  write_pairs(folder_ / "data", 2, 32);
  write_image(folder_ / "low.h5", noise());
  write_image(folder_ / "full", noise());
  const auto refused = [&](const std::string& run, const std::string& in,
                           const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train", "ddnet", "--run", path(run)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_refused(arguments, run, in);
  };
  const std::string data = "data.train=" + path("data");
  for (const char* run : {"data", "data/run", "data/HQ", "data/LQ/run"}) {
    refused(run, "data", {"--set", data});
    refused(run, "data", {"--set", data, "--sweep", "hybrid", "--set", "data.validation=" + path("data")});
  }
  fs::create_directories(folder_ / "linked");
  for (const char* part : {"HQ", "LQ"})
    fs::create_directory_symlink(folder_ / "data" / part, folder_ / "linked" / part);
  refused("data/HQ/run", "linked/HQ", {"--set", "data.train=" + path("linked")});
  const std::string listed =
      fmt::format(R"(=[{{"low":"{}:/images","full":"{}"}}])", path("low.h5"), path("full"));
  refused("low.h5", "low.h5", {"--set", "data.train" + listed});
  refused("full/run", "full", {"--set", data, "--set", "data.validation" + listed});
  write_file(folder_ / "vgg.pth", "weights");
  refused("vgg.pth", "vgg.pth",
          {"--set", data, "--set", "train.loss.perceptual.network=vgg16", "--set",
           "train.loss.perceptual.weights=" + path("vgg.pth")});
  write_file(folder_ / "ddnet.toml", fmt::format("[data]\ntrain = '{}'\n", path("data")));
  refused("ddnet.toml", "ddnet.toml", {"--config", path("ddnet.toml")});
}

// As the demo does.
TEST_F(Inputs, OfATrainingMayBeInItsRunFolder) {
  write_pairs(folder_ / "run/data", 2, 32);
  const Outcome outcome =
      run_command({"train", "ddnet", "--run", path("run"), "--set", "data.train=" + path("run/data"), "--set",
                   "train.epochs=1", "--set", "network.growth=2"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_TRUE(fs::exists(folder_ / "run/model.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "run/data/HQ/1.tif"));
}

}  // namespace
}  // namespace lucivox
