#include <numbers>

#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/config.h>
#include <lucivox/formats/projections.h>

namespace lucivox {
namespace {

TEST(Help, EveryCommandExplainsItself) {
  for (const char* command :
       {"demo", "simulate", "train", "enhance", "evaluate", "prune", "import", "info", "doctor"}) {
    const Outcome outcome = run_command({command, "--help"});
    EXPECT_EQ(outcome.code, 0) << command;
    EXPECT_NE(outcome.out.find("--help"), std::string::npos) << command;
  }
}

TEST(Help, MisuseIsExitCode2) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"unheard-of"},
                                             {"enhance"},
                                             {"train"},
                                             {"doctor", "--colour"},
                                             {"demo", "--device", "tpu"},
                                             {"doctor", "--threads", "0"}}) {
    const Outcome outcome = run_command(arguments);
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
    EXPECT_EQ(outcome.code, 2);
  }
}

TEST(Doctor, TellsTheMachine) {
  const Outcome outcome = run_command({"doctor", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json json = Json::parse(outcome.out);
  EXPECT_GE(json.at("threads").get<int>(), 1);
  EXPECT_EQ(json.at("libtorch").get<std::string>().substr(0, 4), "2.11");
}

TEST(Info, DescribesAScan) {
  const TemporaryFolder folder;
  Scan scan{
      at::rand({3, 4, 5}), at::rand({2, 4, 5}), {}, {{0, std::numbers::pi / 4, std::numbers::pi / 2}, 0.5}};
  write_dxchange(folder / "scan.h5", scan);
  const Outcome outcome = run_command({"info", "--json", (folder / "scan.h5").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("format"), "DXchange");
  EXPECT_EQ(json.at("views"), 3);
  EXPECT_EQ(json.at("rows"), 4);
  EXPECT_EQ(json.at("columns"), 5);
  EXPECT_EQ(json.at("flats"), 2);
  EXPECT_EQ(json.at("darks"), 0);
  EXPECT_EQ(json.at("first_and_last_angle_degrees"), Json({0.0, 90.0}));
  EXPECT_EQ(json.at("pixel_mm"), 0.5);
}

}  // namespace
}  // namespace lucivox
