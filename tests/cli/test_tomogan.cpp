// What a user of `lucivox train tomogan` does: train, look, enhance, be refused.
#include <algorithm>

#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class TomoganCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_pairs(folder_ / "train", 9, 48);
    write_pairs(folder_ / "validation", 3, 48);
  }

  Outcome train(const std::string& run, const std::vector<std::string>& settings,
                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train", "tomogan", "--run", (folder_ / run).string(), "--quiet"};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_command(arguments);
  }
  std::vector<std::string> usual(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> settings{
        "data.train=" + (folder_ / "train").string(), "data.validation=" + (folder_ / "validation").string(),
        "train.epochs=2", "train.batch=1", "train.loss.perceptual.network=none"};
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }

  TemporaryFolder folder_;
};

TEST_F(TomoganCommand, TrainsResumesAndEnhances) {
  ASSERT_EQ(train("run", usual({"train.epochs=1"})).code, 0);
  const Json configuration = Json::parse(read_file(folder_ / "run" / "run.json")).at("configuration");
  EXPECT_EQ(configuration.at("train").at("crop"), 48);         // 512 do not fit
  EXPECT_EQ(configuration.at("intensity").at("units"), "HU");  // as stored in the TIFFs
  EXPECT_EQ(configuration.at("network").at("depth"), 3);
  ASSERT_EQ(train("run", {"train.epochs=2"}, {"--resume"}).code, 0);
  for (const char* left : {"model.safetensors", "summary.json", "report.html", "pictures/slice_0000.png"})
    EXPECT_TRUE(fs::exists(folder_ / "run" / left)) << left;
  const Json summary = Json::parse(read_file(folder_ / "run" / "summary.json"));
  EXPECT_EQ(summary.at("steps"), 6);  // 9 slices are three steps of three batches, twice
  EXPECT_NE(read_file(folder_ / "run" / "report.html").find("Loss of the discriminator"), std::string::npos);

  const std::string model = (folder_ / "run" / "model.safetensors").string();
  const at::Tensor volume = torch::randn({4, 50, 41}) * 300;
  write_image(folder_ / "noisy.nii.gz", volume);
  ASSERT_EQ(run_command(
                {"enhance", model, (folder_ / "noisy.nii.gz").string(), (folder_ / "clean.nii.gz").string()})
                .code,
            0);
  EXPECT_EQ(read_image(folder_ / "clean.nii.gz").sizes(), volume.sizes());
  // a folder of slices is the same stack
  fs::create_directories(folder_ / "slices");
  for (int64_t z = 0; z < 4; ++z)
    write_image(folder_ / "slices" / fmt::format("{}.tif", z), volume.narrow(0, z, 1));
  ASSERT_EQ(
      run_command({"enhance", model, (folder_ / "slices").string(), (folder_ / "enhanced").string()}).code,
      0);
  for (int64_t z = 0; z < 4; ++z) {
    EXPECT_TRUE(at::equal(read_image(folder_ / "enhanced" / fmt::format("{}.tif", z))[0],
                          read_image(folder_ / "clean.nii.gz")[z]))
        << z;
  }
  write_image(folder_ / "slices" / "4.tif", torch::zeros({1, 8, 8}));
  EXPECT_TRUE(is_clear_error(
      run_command({"enhance", model, (folder_ / "slices").string(), (folder_ / "no").string()})));
  const Json info = Json::parse(run_command({"info", model, "--json"}).out);
  EXPECT_EQ(info.at("architecture"), "tomogan");
  EXPECT_EQ(info.at("input_slices"), 3);
}

// Two HDF5 files with the data set "images" each, as the public code has them.
class TomoganHdf5 : public TomoganCommand {
 protected:
  Outcome train_on(const std::string& noisy, const std::string& clean) const {
    const fs::path configuration = folder_ / "hdf5.toml";
    write_file(configuration,
               fmt::format("[data]\ntrain = [{{ low = '{}', full = '{}' }}]\n[train]\nepochs = 1\n"
                           "batch = 1\n[train.loss.perceptual]\nnetwork = 'none'\n",
                           (folder_ / noisy).string(), (folder_ / clean).string()));
    return train("hdf5", {}, {"--config", configuration.string()});
  }
};

TEST_F(TomoganHdf5, TrainsAsThePublicCodeDoes) {
  write_image(folder_ / "noisy.h5", torch::rand({5, 40, 48}));
  write_image(folder_ / "clean.h5", torch::rand({5, 40, 48}));
  const Outcome outcome = train_on("noisy.h5", "clean.h5");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json training = Json::parse(read_file(folder_ / "hdf5" / "run.json")).at("configuration").at("train");
  EXPECT_EQ(training.at("crop"), 32);  // of 40 rows, as a multiple of 16
}

// The only data set is meant, whatever it is called.
TEST_F(TomoganHdf5, NeedsNoNameForOneDataSet) {
  write_image(folder_ / "clean.h5", torch::rand({3, 32, 32}));
  write_image(folder_ / "noisy.h5:/noisy", torch::rand({3, 32, 32}));
  const Outcome outcome = train_on("noisy.h5", "clean.h5");
  EXPECT_EQ(outcome.code, 0) << outcome.error;
}

TEST_F(TomoganHdf5, RefusesWhatIsNoPair) {
  write_image(folder_ / "clean.h5", torch::rand({5, 40, 48}));
  write_image(folder_ / "small.h5", torch::rand({5, 40, 32}));
  write_image(folder_ / "short.h5", torch::rand({4, 40, 48}));
  for (const auto& [noisy, named] :
       {std::pair{"small.h5", "small.h5"}, std::pair{"short.h5", "short.h5"},
        std::pair{"clean.h5:/images2", "/images2"}, std::pair{"missing.h5", "missing.h5"}}) {
    const Outcome outcome = train_on(noisy, "clean.h5");
    EXPECT_TRUE(is_clear_error(outcome)) << noisy << outcome.error;
    EXPECT_NE(outcome.error.find(named), std::string::npos) << outcome.error;
    EXPECT_FALSE(fs::exists(folder_ / "hdf5" / "run.json"));
  }
}

// By the features of VGG-19's first block, whose weights a user brings.
TEST_F(TomoganCommand, LearnsByFeatures) {
  const auto first_loss = [&](const std::string& run) {
    const std::vector<Json> metrics = run_lines(folder_ / run);
    const auto step = std::find_if(metrics.begin(), metrics.end(),
                                   [](const Json& line) { return line.at("kind") == "step"; });
    return step->at("loss").get<double>();
  };
  const std::vector<std::string> short_one{"train.epochs=1", "train.crop=32"};
  ASSERT_EQ(train("plain", usual(short_one)).code, 0);
  std::vector<std::string> settings = usual(short_one);
  for (const char* setting :
       {"network=vgg19", "weights=" LUCIVOX_GOLDEN "/vgg_block1.pth", "blocks=[2,0,0,0,0]"})
    settings.push_back(fmt::format("train.loss.perceptual.{}", setting));
  const Outcome outcome = train("features", settings);
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_GT(first_loss("features"), 1.01 * first_loss("plain"));
  settings.back() = "train.loss.perceptual.blocks=[0,2,0,0,0]";
  const Outcome refused = train("refused", settings);
  EXPECT_TRUE(is_clear_error(refused)) << refused.error;
  EXPECT_NE(refused.error.find("vgg_block1.pth"), std::string::npos) << refused.error;
}

TEST_F(TomoganCommand, RefusesWhatCannotBe) {
  const auto refused = [&](const std::vector<std::string>& settings) {
    const Outcome outcome = train("bad", settings);
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
    EXPECT_FALSE(fs::exists(folder_ / "bad" / "run.json"));
  };
  refused(usual({"network.depth=11"}));                     // more than the stack has
  refused(usual({"network.depth=2"}));                      // no middle
  refused(usual({"train.crop=64"}));                        // larger than the slices
  refused(usual({"train.batch=4"}));                        // 12 slices a step
  refused(usual({"network.growth=16"}));                    // DDNet's
  refused(usual({"train.loss.perceptual.network=vgg19"}));  // without weights
  refused(usual({"train.loss.perceptual.network=resnet"}));
  refused(usual({"intensity.units=furlongs"}));
  fs::remove(folder_ / "train" / "LQ" / "0.tif");
  refused(usual());  // pairs that are none
}

}  // namespace
}  // namespace lucivox
