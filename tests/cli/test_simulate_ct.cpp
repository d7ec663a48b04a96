// What a user of `lucivox simulate ct` does.
#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/types.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class SimulateCommand : public ::testing::Test {
 protected:
  fs::path data() const { return folder_ / "data"; }
  Outcome simulate(const std::vector<std::string>& options) const {
    std::vector<std::string> arguments{"simulate", "ct", data().string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_command(arguments);
  }
  at::Tensor slice(const std::string& part, int64_t index) const {
    return read_image(data() / part / fmt::format("slice_{:04}.tif", index)).squeeze(0);
  }

  TemporaryFolder folder_;
};

TEST_F(SimulateCommand, WritesPairsThatTrainingReads) {
  const Outcome outcome = simulate({"--slices", "2", "--size", "64"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const at::Tensor truth = slice("truth", 1);
  EXPECT_LT(rmse(slice("HQ", 1), truth), rmse(slice("LQ", 1), truth));
}

TEST_F(SimulateCommand, TakesItsOptionsBeforeTheFolder) {
  for (const char* dose : {"0.1", "0.05,0.2"}) {
    const Outcome outcome = run_command({"simulate", "ct", "--dose-fraction", dose, (folder_ / dose).string(),
                                         "--slices", "1", "--size", "64"});
    EXPECT_EQ(outcome.code, 0) << outcome.error;
  }
  const Outcome three = run_command(
      {"simulate", "ct", "--dose-fraction", "0.1,0.2,0.3", (folder_ / "three").string(), "--slices", "1"});
  EXPECT_TRUE(is_clear_error(three)) << three.error;
  EXPECT_FALSE(fs::exists(folder_ / "three"));
}

// With as many photons low dose is full dose with other noise.
TEST_F(SimulateCommand, KnowsTheDose) {
  const Outcome outcome = simulate({"--slices", "1", "--size", "64", "--dose-fraction", "1", "--full-photons",
                                    "1e9", "--bowtie-radius-mm", "0", "--electronic-sigma", "0"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_LT(rmse(slice("LQ", 0), slice("HQ", 0)), 1);
}

TEST_F(SimulateCommand, ScansARealCt) {
  write_image(folder_ / "ct.nii.gz", torch::full({18, 32, 32}, 40.0F));
  const Outcome outcome = simulate({"--from", (folder_ / "ct.nii.gz").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(slice("truth", 17).mean().item<double>(), 40);
  EXPECT_NE(outcome.error.find("does not store the size of its pixels"), std::string::npos) << outcome.error;
}

// 20 rows and 40 columns become 40 x 40 with air above and below.
TEST_F(SimulateCommand, ScansACtThatIsNotSquare) {
  write_image(folder_ / "ct.nii.gz", torch::full({1, 20, 40}, 40.0F));
  const Outcome outcome = simulate({"--from", (folder_ / "ct.nii.gz").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  at::Tensor expected = torch::full({40, 40}, -1000.0F);
  expected.slice(0, 10, 30).fill_(40);
  EXPECT_TRUE(at::equal(slice("truth", 0), expected));
}

// Its pixels of 0.7 to 0.9 mm become others; padding of -2000 HU and less becomes air.
TEST_F(SimulateCommand, ScansARealChestWithOtherPixels) {
  const fs::path scan = fs::path(LUCIVOX_SCANS) / "chest-ct";
  if (!fs::exists(scan)) GTEST_SKIP() << "no real scans at " << scan;
  const Outcome outcome = simulate({"--from", scan.string(), "--size", "96"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const at::Tensor truth = slice("truth", 0);
  EXPECT_EQ(truth.sizes(), (at::IntArrayRef{96, 96}));
  EXPECT_EQ(truth.min().item<double>(), -1000);
  EXPECT_LT(rmse(slice("HQ", 0), truth), 150);
  EXPECT_LT(rmse(slice("HQ", 0), truth), rmse(slice("LQ", 0), truth));
}

// One clear error, exit code 2, and nothing written.
TEST_F(SimulateCommand, RefusesWhatNoScannerDoes) {
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--dose-fraction", "0"},
                                                        {"--dose-fraction", "1.5"},
                                                        {"--dose-fraction", "-0.04"},
                                                        {"--dose-fraction", "nan"},
                                                        {"--dose-fraction", "low"},
                                                        {"--full-photons", "-1"},
                                                        {"--full-photons", "0"},
                                                        {"--full-photons", "1e300"},
                                                        {"--electronic-sigma", "-5"},
                                                        {"--bowtie-radius-mm", "-1"},
                                                        {"--bowtie-radius-mm", "900"},
                                                        {"--slices", "0"},
                                                        {"--size", "8"},
                                                        {"--views", "-3"},
                                                        {"--pixel-mm", "100"}}) {
    const Outcome outcome = simulate({option, value});
    EXPECT_TRUE(is_clear_error(outcome)) << option << " " << value << ": " << outcome.error;
    EXPECT_EQ(outcome.code, 2) << option << " " << value;
    EXPECT_FALSE(fs::exists(data())) << option << " " << value;
  }
}

// What is there is whole, and the exit code says who ended it.
TEST_F(SimulateCommand, StopsWhenInterrupted) {
  const pid_t process =
      start_command({"simulate", "ct", data().string(), "--slices", "100000", "--size", "64"});
  ASSERT_TRUE(wait_until(process, [&] { return fs::exists(data() / "LQ/slice_0000.tif"); }));
  ::kill(process, SIGINT);
  EXPECT_EQ(wait_for(process), 130);
  EXPECT_EQ(slice("LQ", 0).sizes(), (at::IntArrayRef{64, 64}));
}

TEST_F(SimulateCommand, ReplacesAFolderThatIsNotEmptyOnRequestOnly) {
  fs::create_directories(data());
  ASSERT_EQ(simulate({"--slices", "2", "--size", "32"}).code, 0) << "an empty folder is as good as none";
  const Outcome refused = simulate({"--slices", "1", "--size", "32"});
  EXPECT_TRUE(is_clear_error(refused)) << refused.error;
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.error.find("--overwrite"), std::string::npos) << refused.error;
  EXPECT_TRUE(fs::exists(data() / "HQ/slice_0001.tif"));
  const Outcome outcome = simulate({"--slices", "1", "--size", "32", "--overwrite"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_TRUE(fs::exists(data() / "HQ/slice_0000.tif"));
  EXPECT_FALSE(fs::exists(data() / "HQ/slice_0001.tif")) << "nothing of the old scan is mixed with the new";
}

}  // namespace
}  // namespace lucivox
