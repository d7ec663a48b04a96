// Several processes that train one network: started by the command itself, or told by variables as torchrun
// does.
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>
#include <unistd.h>

#include <lucivox/base/files.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// A listening socket on a port that nobody else then has.
class TakenPort {
 public:
  TakenPort() {
    socklen_t length = sizeof address_;
    address_.sin_family = AF_INET;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address_), length) != 0 || ::listen(socket_, 1) != 0)
      throw std::runtime_error("no port is free");
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address_), &length);
  }
  ~TakenPort() { ::close(socket_); }
  std::string number() const { return std::to_string(ntohs(address_.sin_port)); }

 private:
  int socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address_{};
};

std::vector<pid_t> children_of(pid_t parent) {
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", parent));
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

class RanksCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_pairs(folder_ / "train", 12, 48);
    write_file(folder_ / "ddnet.toml", fmt::format(R"(
[data]
train = "{}"
[network]
growth = 4
[train]
epochs = 3
batch = 6
crop = 32
)",
                                                   (folder_ / "train").string()));
  }
  void TearDown() override {
    for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) ::unsetenv(name);
  }

  std::vector<std::string> train(const std::string& run, const std::vector<std::string>& more = {}) const {
    return train_arguments(folder_.path(), run, 1, more);
  }

  void be_rank(const std::string& rank, const std::string& port) const {
    ::setenv("RANK", rank.c_str(), 1);
    ::setenv("WORLD_SIZE", "2", 1);
    ::setenv("MASTER_PORT", port.c_str(), 1);
  }

  std::vector<double> losses(const std::string& run) const {
    std::vector<double> all;
    for (const Json& line : run_lines(folder_ / run))
      if (line.at("kind") == "step") all.push_back(line.at("loss").get<double>());
    return all;
  }

  TemporaryFolder folder_;
};

TEST_F(RanksCommand, TrainTogether) {
  ASSERT_EQ(run_command(train("alone")).code, 0);
  const Outcome outcome = run_command(train_arguments(folder_.path(), "together", 4, {"--ranks", "2"}));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_TRUE(fs::exists(folder_ / "together/model.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "together/report.html"));
  const Json summary = Json::parse(read_file(folder_ / "together/summary.json"));
  EXPECT_EQ(summary.at("ranks"), 2);
  EXPECT_EQ(summary.at("threads"), 2) << "each has its share of the 4";
  const std::vector<double> one = losses("alone"), two = losses("together");
  ASSERT_EQ(one.size(), two.size());
  EXPECT_NEAR(two[0], one[0], 1e-5 * one[0]);
}

TEST_F(RanksCommand, RankThatIsKilledEndsAllAndTheRunGoesOnWithOthers) {
  const pid_t process = start_command(train("run", {"--ranks", "2", "--set", "train.epochs=2000"}));
  ASSERT_TRUE(wait_until(process, [&] { return fs::exists(folder_ / "run/checkpoints/last.safetensors"); }));
  const std::vector<pid_t> ranks = children_of(process);
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(ranks[1], SIGKILL);
  EXPECT_EQ(wait_for(process), 1);
  for (const pid_t rank : ranks) EXPECT_NE(::kill(rank, 0), 0) << "a rank outlived its command";
  const auto done = static_cast<int64_t>(losses("run").size()) / 2;
  const Outcome outcome = run_command(
      train("run", {"--ranks", "3", "--resume", "--set", fmt::format("train.epochs={}", done + 3)}));
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_TRUE(fs::exists(folder_ / "run/model.safetensors"));
}

TEST_F(RanksCommand, EveryRankHearsThatTheyWereToldDifferentThings) {
  const std::string port = TakenPort().number();  // free again
  be_rank("1", port);
  const pid_t other = start_command(train("run", {"--set", "train.seed=7"}));
  be_rank("0", port);
  const Outcome outcome = run_command(train("run"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  EXPECT_NE(outcome.error.find("ranks differ in /train/seed: rank 0 has 1, rank 1 has 7"), std::string::npos)
      << outcome.error;
  EXPECT_EQ(wait_for(other), 2);
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(RanksCommand, PortInUseIsAClearError) {
  const TakenPort taken;
  be_rank("0", taken.number());
  const Outcome outcome = run_command(train("run"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  EXPECT_NE(outcome.error.find(taken.number()), std::string::npos) << outcome.error;
}

TEST_F(RanksCommand, NonsenseIsAClearError) {
  be_rank("two", "1");
  const Outcome outcome = run_command(train("run"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  be_rank("0", "70000");
  EXPECT_TRUE(is_clear_error(run_command(train("run"))));
  TearDown();
  EXPECT_EQ(run_command(train("run", {"--ranks", "4"})).code, 2) << "6 slices for 4 ranks";
  EXPECT_EQ(run_command(train("run", {"--ranks", "2", "--sweep", "hybrid"})).code, 2);
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

}  // namespace
}  // namespace lucivox
