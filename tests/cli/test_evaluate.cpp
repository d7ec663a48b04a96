// What a user of `lucivox evaluate` does.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class EvaluateCommand : public ::testing::Test {
 protected:
  void write(const std::string& name, const at::Tensor& values, Units units) const {
    write_image(folder_ / name, values, Scalar::Float32, units);
  }
  Outcome run(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"evaluate", (folder_ / "a.tif").string(),
                                       (folder_ / "b.tif").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_command(arguments);
  }
  Json evaluate(std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return outcome.code == 0 ? Json::parse(outcome.out) : Json();
  }

  // From 0 to 0.05 in the first slice, to half of it in the second.
  static at::Tensor tomogram() {
    const at::Tensor first = torch::linspace(0, 0.05, 32 * 32).reshape({1, 32, 32});
    return at::cat({first, first / 2});
  }

  TemporaryFolder folder_;
};

double number(const Json& json, const std::string& key) {
  return json.at("mean").at(key).get<double>();
}

// 20.48 of 2048 HU is 1 %: 40 dB.
TEST_F(EvaluateCommand, JudgesHuInTheirUsualWindow) {
  const at::Tensor truth = torch::randn({2, 32, 32}) * 300;
  write("a.tif", truth - 20.48, Units::HU);
  write("b.tif", truth, Units::HU);
  const Json json = evaluate();
  EXPECT_EQ(json.at("slices").size(), 2U);
  EXPECT_EQ(json.at("window"), Json({-1024.0, 1024.0}));
  EXPECT_EQ(json.at("units"), "HU");
  EXPECT_NEAR(number(json, "psnr"), 40, 1e-3);
  EXPECT_NEAR(number(json, "rmse"), 20.48, 1e-3);
  EXPECT_NEAR(number(json, "bias"), -20.48, 1e-3);
}

// 0.0005 of the reference's 0.05 is 1 % in both slices: 40 dB, and not the 92 dB of 2048.
TEST_F(EvaluateCommand, JudgesTomogramsOverTheRangeOfTheWholeReference) {
  write("a.tif", tomogram() + 0.0005, Units::PerMm);
  write("b.tif", tomogram(), Units::PerMm);
  const Json json = evaluate();
  EXPECT_NEAR(json.at("window")[0].get<double>(), 0, 1e-8);
  EXPECT_NEAR(json.at("window")[1].get<double>(), 0.05, 1e-8);
  for (const Json& slice : json.at("slices")) EXPECT_NEAR(slice.at("psnr").get<double>(), 40, 1e-3);
  EXPECT_NEAR(number(json, "rmse"), 0.0005, 1e-8);
  EXPECT_NEAR(number(json, "bias"), 0.0005, 1e-8);
  const std::string text = run().out;
  for (const char* part : {"RMSE, 1/mm", "bias, 1/mm", "window, 1/mm 0 .. 0.05: the range of the reference"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

// 0.0005 of 0.5 is 0.1 %: 60 dB.
TEST_F(EvaluateCommand, TakesTheWindowThatIsGiven) {
  write("a.tif", tomogram() + 0.0005, Units::PerMm);
  write("b.tif", tomogram(), Units::PerMm);
  EXPECT_NEAR(number(evaluate({"--window", "0,0.5"}), "psnr"), 60, 1e-3);
  EXPECT_TRUE(is_clear_error(run({"--window", "1,0"})));
}

TEST_F(EvaluateCommand, TakesUnknownUnitsForTheOthersAndRefusesDifferentOnes) {
  const at::Tensor truth = torch::randn({1, 32, 32}) * 300;
  write("a.tif", truth + 20.48, Units::HU);
  write("b.tif", truth, Units::Unknown);
  EXPECT_NEAR(number(evaluate(), "psnr"), 40, 1e-3);
  write("b.tif", truth, Units::PerMm);
  const Outcome outcome = run();
  EXPECT_TRUE(is_clear_error(outcome));
  EXPECT_NE(outcome.error.find("1/mm"), std::string::npos) << outcome.error;
}

TEST_F(EvaluateCommand, AsksForAWindowWhereTheReferenceIsConstant) {
  write("a.tif", torch::ones({1, 32, 32}), Units::Unknown);
  write("b.tif", torch::zeros({1, 32, 32}), Units::Unknown);
  const Outcome outcome = run();
  EXPECT_TRUE(is_clear_error(outcome));
  EXPECT_NE(outcome.error.find("--window"), std::string::npos) << outcome.error;
  EXPECT_NEAR(number(evaluate({"--window", "0,10"}), "psnr"), 20, 1e-6);  // 1 of 10
}

// Two slices of which one is 20.48 off: paired by name, whatever else is there.
TEST_F(EvaluateCommand, PairsFoldersByNameInNaturalOrder) {
  for (const char* part : {"a", "b"}) {
    fs::create_directory(folder_ / part);
    for (const int64_t i : {2, 10}) {
      const double value = i == 10 && *part == 'a' ? 20.48 : 0;
      write_image(folder_ / part / fmt::format("s{}.tif", i), torch::full({1, 32, 32}, value));
    }
  }
  write_file(folder_ / "a/notes.txt", "no image");
  const Outcome outcome =
      run_command({"evaluate", (folder_ / "a").string(), (folder_ / "b").string(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.error.find("notes.txt"), std::string::npos) << outcome.error;
  const Json slices = Json::parse(outcome.out).at("slices");
  ASSERT_EQ(slices.size(), 2U);
  EXPECT_EQ(slices[0].at("name"), "s2.tif");
  EXPECT_EQ(slices[1].at("name"), "s10.tif");
  EXPECT_NEAR(slices[1].at("psnr").get<double>(), 40, 1e-3);
}

}  // namespace
}  // namespace lucivox
