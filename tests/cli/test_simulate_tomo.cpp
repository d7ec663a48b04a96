// What a user of `lucivox simulate tomo` does.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/config.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class SimulateTomoCommand : public ::testing::Test {
 protected:
  fs::path data() const { return folder_ / "data"; }
  Outcome simulate(const std::vector<std::string>& options) const {
    std::vector<std::string> arguments{"simulate", "tomo", data().string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_command(arguments);
  }
  fs::path slice(const std::string& part, int64_t index) const {
    return data() / part / fmt::format("slice_{:04}.tif", index);
  }

  TemporaryFolder folder_;
};

TEST_F(SimulateTomoCommand, WritesPairsThatTrainingReads) {
  for (const char* sample : {"glass", "shale", "foam", "fibres"}) {
    const Outcome outcome = simulate({"--sample", sample, "--slices", "2", "--size", "64", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    EXPECT_EQ(Json::parse(outcome.out).at("slices"), 2);
    const at::Tensor truth = read_image(slice("truth", 1));
    EXPECT_LT(rmse(read_image(slice("HQ", 1)), truth), rmse(read_image(slice("LQ", 1)), truth)) << sample;
    fs::remove_all(data());
  }
}

// 3.328 mm across 64 pixels.
TEST_F(SimulateTomoCommand, SaysWhatItsPixelsAre) {
  ASSERT_EQ(simulate({"--slices", "1", "--size", "64"}).code, 0);
  const ImageInfo info = open(slice("LQ", 0))->info();
  EXPECT_EQ(info.scalar, Scalar::Float32);
  EXPECT_EQ(info.units, Units::PerMm);
  EXPECT_TRUE(info.spacing_known);
  EXPECT_NEAR(info.spacing_mm[0], 0.052, 1e-6);
}

// The same numbers as in the folders.
TEST_F(SimulateTomoCommand, WritesHdf5AsThePublicTomoGanReadsIt) {
  const Outcome outcome =
      simulate({"--slices", "17", "--size", "32", "--hdf5", "--method", "sirt", "--sample", "foam"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const at::Tensor clean = read_image(data() / "clean.h5:/images"),
                   noisy = read_image(data() / "noisy.h5:/images");
  EXPECT_EQ(clean.sizes(), (at::IntArrayRef{17, 32, 32}));
  EXPECT_TRUE(at::equal(clean[16], read_image(slice("HQ", 16))[0]));
  EXPECT_TRUE(at::equal(noisy[16], read_image(slice("LQ", 16))[0]));
}

// One clear error, exit code 2, and nothing written.
TEST_F(SimulateTomoCommand, RefusesWhatNoBeamlineDoes) {
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--sample", "wood"},
                                                        {"--sample", "glas"},
                                                        {"--method", "art"},
                                                        {"--slices", "0"},
                                                        {"--size", "8"},
                                                        {"--views", "-3"},
                                                        {"--few-views", "-1"},
                                                        {"--few-views", "5000"},
                                                        {"--photons", "0"},
                                                        {"--exposure-fraction", "0"},
                                                        {"--exposure-fraction", "1.5"},
                                                        {"--exposure-fraction", "nan"},
                                                        {"--exposure-fraction", "short"},
                                                        {"--electronic-sigma", "-5"}}) {
    const Outcome outcome = simulate({option, value});
    EXPECT_TRUE(is_clear_error(outcome)) << option << " " << value << ": " << outcome.error;
    EXPECT_EQ(outcome.code, 2) << option << " " << value;
    EXPECT_FALSE(fs::exists(data())) << option << " " << value;
  }
}

TEST_F(SimulateTomoCommand, RefusesAFolderThatIsNotEmpty) {
  fs::create_directories(data() / "LQ");
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--slices", "1", "--size", "32"},
                                                  {"--slices", "1", "--size", "32", "--hdf5"}}) {
    const Outcome outcome = simulate(options);
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
    EXPECT_EQ(outcome.code, 2);
  }
  EXPECT_FALSE(fs::exists(data() / "clean.h5"));
}

}  // namespace
}  // namespace lucivox
