// What a user of `lucivox train ddnet --sweep` does: sweep, be interrupted, resume, look at single runs.
#include <csignal>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class SweepCommand : public ::testing::Test {
 protected:
  // Written once for all tests.
  static const fs::path& data() {
    static const TemporaryFolder folder;
    static const bool written = [] {
      write_pairs(folder / "train", 4, 48);
      write_pairs(folder / "validation", 2, 48);
      return true;
    }();
    EXPECT_TRUE(written);
    return folder.path();
  }

  void SetUp() override {
    write_file(folder_ / "ddnet.toml",
               fmt::format(R"(
[data]
train = "{}"
validation = "{}"
[network]
growth = 4
[train]
epochs = 5
learning_rate = 1e-3
batch = 1
[train.sparsity]
criterion = "magnitude"
dense_epochs = 3
)",
                           (data() / "train").string(), (data() / "validation").string()));
  }

  std::vector<std::string> train(const std::string& run, const std::vector<std::string>& more = {}) const {
    return train_arguments(folder_.path(), run, 1, more);
  }

  // The hybrid sweep by ddnet.toml as it is, made once for all tests, which must leave it as it is.
  const Outcome& straight() const {
    static const Outcome outcome = run_command(train(straight_folder(), {"--sweep", "hybrid", "--json"}));
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return outcome;
  }
  static std::string straight_folder() {
    static const TemporaryFolder folder;
    return (folder / "straight").string();
  }

  bool appears(const std::string& file, pid_t process) const {
    return wait_until(process, [&] { return fs::exists(folder_ / file); });
  }

  Json json(const fs::path& file) const { return Json::parse(read_file(folder_.path() / file)); }

  // What a sweep compares, but for how long it took.
  Json runs(const std::string& sweep) const {
    Json runs = json(sweep + "/summary.json").at("runs");
    for (Json& run : runs) run.erase("training_seconds");
    return runs;
  }

  // All that a run recorded, but for how long it took.
  std::vector<Json> record(const std::string& run) const {
    std::vector<Json> lines = run_lines(folder_ / run);
    for (Json& line : lines) {
      for (const char* key : {"seconds", "machine"}) line.erase(key);
    }
    return lines;
  }

  TemporaryFolder folder_;
};

// Figure 4c: 0 to 4 of 5 epochs dense, and all of them.
TEST_F(SweepCommand, HybridComparesSplitsWithTheDenseRun) {
  const Json summary = Json::parse(straight().out);
  const fs::path sweep = straight_folder();
  EXPECT_EQ(summary, json(sweep / "summary.json"));
  const Json& runs = summary.at("runs");
  ASSERT_EQ(runs.size(), 6U);
  for (size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i].at("dense_epochs"), i);
    EXPECT_EQ(runs[i].at("sparse_epochs"), 5 - i);
    EXPECT_NEAR(runs[i].at("sparsity").get<double>(), i < 5 ? 0.5 : 0, 0.01);
    EXPECT_TRUE(fs::exists(sweep / runs[i].at("run").get<std::string>() / "report.html"));
  }
  EXPECT_NE(read_file(sweep / "report.html").find("<circle"), std::string::npos);
}

// The dense epochs are computed once for all; the result is that of a run of its own, bit for bit.
TEST_F(SweepCommand, ItsRunsAreThoseThatAreTrainedAlone) {
  ASSERT_EQ(straight().code, 0);
  ASSERT_EQ(run_command(train("alone")).code, 0);  // 3 dense epochs of 5
  const std::string swept = straight_folder() + "/dense-3-sparse-2";
  EXPECT_EQ(record(swept), record("alone"));
  EXPECT_EQ(RunFolder::configuration_of(folder_ / swept), RunFolder::configuration_of(folder_ / "alone"));
  const Model a = load_model(folder_ / swept / "model.safetensors"),
              b = load_model(folder_ / "alone/model.safetensors");
  for (const auto& [name, value] : a.weights.state())
    EXPECT_TRUE(at::equal(value, b.weights.weight(name))) << name;
}

TEST_F(SweepCommand, ResumesWithTheRunThatWasUnderWay) {
  ASSERT_EQ(straight().code, 0);
  for (const int signal : {SIGKILL, SIGINT}) {
    const std::string sweep = fmt::format("stopped-{}", signal);
    const pid_t process = start_command(train(sweep, {"--sweep", "hybrid"}));
    ASSERT_TRUE(appears(sweep + "/dense-1-sparse-4/checkpoints/last.safetensors", process))
        << "it ended before it could be stopped";
    ::kill(process, signal);
    EXPECT_EQ(wait_for(process), signal == SIGKILL ? 128 + SIGKILL : 130);
    EXPECT_FALSE(fs::exists(folder_ / sweep / "summary.json"));
    const Json finished = json(sweep + "/dense-0-sparse-5/summary.json");
    const Outcome resumed = run_command({"train", "ddnet", "--sweep", "hybrid", "--resume", "--run",
                                         (folder_ / sweep).string(), "--threads", "1"});
    ASSERT_EQ(resumed.code, 0) << resumed.error;
    EXPECT_EQ(json(sweep + "/dense-0-sparse-5/summary.json"), finished) << "it was trained twice";
    EXPECT_EQ(runs(sweep), runs(straight_folder()));
  }
}

// 9 criteria of 10 to 90 %, but for 2:4, which is 50 %, and for what would leave one of these small layers
// empty.
TEST_F(SweepCommand, SparsityComparesCriteriaAndAmounts) {
  const std::vector<std::string> settings{"--sweep",        "sparsity", "--set",
                                          "train.epochs=1", "--set",    "train.sparsity.dense_epochs=0"};
  const Outcome outcome = run_command(train("sweep", settings));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.error.find("2-4-10 is left out"), std::string::npos) << outcome.error;
  std::map<std::string, std::vector<double>> amounts;
  for (const Json& run : runs("sweep"))
    amounts[run.at("criterion").get<std::string>()].push_back(run.at("amount").get<double>());
  EXPECT_EQ(amounts.size(), 10U);
  EXPECT_EQ(amounts["magnitude"], (std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}));
  EXPECT_EQ(amounts["2:4"], (std::vector<double>{0.5}));
  EXPECT_EQ(amounts["none"], (std::vector<double>{0}));
  const std::string report = read_file(folder_ / "sweep/report.html");
  for (const std::string& criterion : pruning_criteria()) {
    if (criterion == "none") continue;
    EXPECT_NE(report.find(">" + criterion + "</text>"), std::string::npos) << criterion;
  }
  // one that is killed goes on to the same
  const pid_t process = start_command(train("killed", settings));
  ASSERT_TRUE(appears("killed/filters-l1-50/summary.json", process)) << "it ended before it could be killed";
  ::kill(process, SIGKILL);
  wait_for(process);
  const Outcome resumed = run_command({"train", "ddnet", "--sweep", "sparsity", "--resume", "--run",
                                       (folder_ / "killed").string(), "--threads", "1"});
  ASSERT_EQ(resumed.code, 0) << resumed.error;
  EXPECT_EQ(runs("killed"), runs("sweep"));
}

TEST_F(SweepCommand, RefusesWhatItCannotCompare) {
  const auto expect_misuse = [&](const std::vector<std::string>& more, const std::string& part) {
    const Outcome outcome = run_command(train("sweep", more));
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
    EXPECT_EQ(outcome.code, 2);
    EXPECT_NE(outcome.error.find(part), std::string::npos) << outcome.error;
    EXPECT_FALSE(fs::exists(folder_ / "sweep"));
  };
  expect_misuse({"--sweep", "hybrid", "--set", "data.validation=false"}, "validation");
  expect_misuse({"--sweep", "hybrid", "--set", "train.sparsity.criterion=none"}, "criterion");
  expect_misuse({"--sweep", "hybrid", "--resume"}, "sweep");
  write_pairs(folder_ / "few", 2, 48);
  const Outcome few = run_command(
      {"train", "ddnet", "--sweep", "hybrid", "--run", (folder_ / "sweep").string(), "--set",
       "data.train=" + (folder_ / "few").string(), "--set", "train.sparsity.criterion=magnitude"});
  EXPECT_TRUE(is_clear_error(few)) << few.error;
  EXPECT_NE(few.error.find("too few to hold some out"), std::string::npos) << few.error;
  EXPECT_FALSE(fs::exists(folder_ / "sweep"));
  EXPECT_EQ(run_command(train("sweep", {"--sweep", "everything"})).code, 2);
}

TEST_F(SweepCommand, IsNotMixedUpWithAnother) {
  const std::vector<std::string> one{"--sweep",        "hybrid", "--set",
                                     "train.epochs=1", "--set",  "train.sparsity.dense_epochs=0"};
  ASSERT_EQ(run_command(train("sweep", one)).code, 0);
  for (const std::vector<std::string>& other :
       std::vector<std::vector<std::string>>{one,
                                             {"--sweep", "hybrid", "--resume"},
                                             {"--sweep", "sparsity", "--resume", "--set", "train.epochs=1",
                                              "--set", "train.sparsity.dense_epochs=0"}}) {
    const Outcome outcome = run_command(train("sweep", other));
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
    EXPECT_EQ(outcome.code, 2) << outcome.error;
  }
}

}  // namespace
}  // namespace lucivox
