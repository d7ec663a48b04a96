// What a user of `lucivox train ddnet` does: train, be interrupted, resume.
#include <cmath>
#include <csignal>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/nn/shrinking.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

constexpr char kEpoch[] = R"("epoch","step")";  // begins what metrics.jsonl says of an epoch

class TrainCommand : public ::testing::Test {
 protected:
  // Written once for all tests.
  static const fs::path& data() {
    static const TemporaryFolder folder;
    static const bool written = [] {
      write_pairs(folder / "train", 6, 48);
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
epochs = 10
learning_rate = 1e-3
batch = 1
crop = 32
[train.sparsity]
criterion = "filters-l1"
dense_epochs = 2
)",
                           (data() / "train").string(), (data() / "validation").string()));
  }

  std::vector<std::string> train(const std::string& run, const std::vector<std::string>& more = {}) const {
    return train_arguments(folder_.path(), run, 2, more);
  }

  // The run by ddnet.toml as it is, trained once for all tests, which must leave it as it is.
  std::string straight() const {
    static const TemporaryFolder folder;
    static const Outcome outcome = run_command(train((folder / "straight").string()));
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return (folder / "straight").string();
  }

  // Waits until the run has recorded `count` epochs and has a checkpoint; false when it ended before.
  bool reaches_epoch(const std::string& run, int64_t count, pid_t process) const {
    const fs::path metrics = folder_ / run / "metrics.jsonl";
    return wait_until(process, [&] {
      const std::string lines = fs::exists(metrics) ? read_file(metrics) : "";
      int64_t epochs = 0;
      for (size_t at = lines.find(kEpoch); at != std::string::npos; at = lines.find(kEpoch, at + 1)) ++epochs;
      return epochs >= count && fs::exists(folder_ / run / "checkpoints/last.safetensors");
    });
  }

  void expect_same_model(const std::string& a, const std::string& b) const {
    const Model model_a = load_model(folder_ / a / "model.safetensors"),
                model_b = load_model(folder_ / b / "model.safetensors");
    for (const auto& [name, value] : model_a.weights.state())
      EXPECT_TRUE(at::equal(value, model_b.weights.weight(name))) << name;
  }

  TemporaryFolder folder_;
};

TEST_F(TrainCommand, LeavesAModelMetricsPicturesAndAReport) {
  const Outcome outcome = run_command(train("run", {"--json"}));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json summary = Json::parse(outcome.out);
  EXPECT_EQ(summary.at("steps"), 60);
  EXPECT_GT(summary.at("sparsity").get<double>(), 0.3);
  EXPECT_EQ(summary, Json::parse(read_file(folder_ / "run/summary.json")));
  for (const char* file : {"model.safetensors", "report.html", "metrics.jsonl",
                           "checkpoints/last.safetensors", "pictures/slice_0000.png"}) {
    EXPECT_TRUE(fs::exists(folder_ / "run" / file)) << file;
  }
  const Outcome info = run_command({"info", "--json", (folder_ / "run/model.safetensors").string()});
  EXPECT_EQ(Json::parse(info.out).at("layers"), 45) << info.error;
}

// What was pruned is exactly zero in the model that users get, at its own place.
TEST_F(TrainCommand, KeepsPrunedWeightsOutOfTheModel) {
  ASSERT_EQ(
      run_command(train("run", {"--set", "train.sparsity.criterion=magnitude", "--set", "train.epochs=4"}))
          .code,
      0);
  const Model model = load_model(folder_ / "run/model.safetensors");
  const NamedTensors state = model.weights.state();
  // filters of which nothing is left are taken out
  const NamedTensors whole = model.removed ? expand(*model.removed, state) : state;
  const std::map<std::string, at::Tensor> weights(whole.begin(), whole.end());
  int masks = 0;
  for (const auto& [name, mask] : read_safetensors(folder_ / "run/checkpoints/last.safetensors").tensors) {
    if (!name.starts_with("mask.")) continue;
    ++masks;
    EXPECT_FALSE(((weights.at(name.substr(5)) != 0) & (mask == 0)).any().item<bool>()) << name;
    EXPECT_NEAR(mask.mean().item<double>(), 0.5, 0.5 / static_cast<double>(mask.numel())) << name;
  }
  EXPECT_EQ(masks, 44) << "the layer that makes the image is left alone";
}

// N epochs straight are k epochs, kill -9, resume: the same bits.
TEST_F(TrainCommand, ResumesBitIdenticallyAfterKill9) {
  for (const int64_t epochs : {1, 3}) {  // while dense, and while sparse
    const std::string run = fmt::format("killed-{}", epochs);
    const pid_t process = start_command(train(run));
    ASSERT_TRUE(reaches_epoch(run, epochs, process)) << "it ended before it could be killed";
    ::kill(process, SIGKILL);
    EXPECT_EQ(wait_for(process), 128 + SIGKILL);
    EXPECT_FALSE(fs::exists(folder_ / run / "model.safetensors"));
    const Outcome resumed =
        run_command({"train", "ddnet", "--resume", "--run", (folder_ / run).string(), "--threads", "2"});
    ASSERT_EQ(resumed.code, 0) << resumed.error;
    expect_same_model(run, straight());
  }
}

TEST_F(TrainCommand, ResumesAtTheBeginningWhenKilledBeforeTheFirstCheckpoint) {
  fs::create_directories(folder_ / "killed");
  for (const char* name : {"run.json", "metrics.jsonl"})
    fs::copy(fs::path(straight()) / name, folder_ / "killed" / name);
  const Outcome resumed = run_command(train("killed", {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.error;
  expect_same_model("killed", straight());
  EXPECT_EQ(run_lines(folder_ / "killed").size(), run_lines(straight()).size());
}

// Of programs that this one starts.
class MemoryLimit {
 public:
  explicit MemoryLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_AS, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

TEST_F(TrainCommand, OutOfMemoryIsAClearError) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer needs more of the address space than the limit leaves";
#endif
  const MemoryLimit limit(rlim_t{3} << 29);
  const Outcome outcome = run_command(train("run", {"--set", "network.growth=256"}));
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  EXPECT_NE(outcome.error.find("out of memory: "), std::string::npos) << outcome.error;
  EXPECT_FALSE(fs::exists(folder_ / "run" / "model.safetensors"));
}

TEST_F(TrainCommand, StopsCleanlyOnInterruptAndTerminate) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string run = fmt::format("stopped-{}", signal);
    const pid_t process = start_command(train(run));
    ASSERT_TRUE(reaches_epoch(run, 1, process)) << "it ended before it could be stopped";
    ::kill(process, signal);
    EXPECT_EQ(wait_for(process), 130);
    const Outcome resumed = run_command(train(run, {"--resume"}));
    ASSERT_EQ(resumed.code, 0) << resumed.error;
    expect_same_model(run, straight());
  }
}

TEST_F(TrainCommand, RefusesAnExistingRunWithoutResume) {
  ASSERT_EQ(run_command(train("run", {"--set", "train.epochs=3"})).code, 0);
  const Outcome again = run_command(train("run"));
  EXPECT_TRUE(is_clear_error(again)) << again.error;
  EXPECT_EQ(again.code, 2);
}

TEST_F(TrainCommand, TakesPairsOfVolumes) {
  const at::Tensor full = torch::randn({3, 32, 32}) * 100, low = full + 50;
  write_image(folder_ / "low.nii.gz", low);
  write_image(folder_ / "full.nii.gz", full);
  const Outcome outcome =
      run_command({"train", "ddnet", "--run", (folder_ / "volumes").string(), "--set", "train.epochs=1",
                   "--set", "network.growth=2", "--set",
                   fmt::format(R"(data.train=[{{"low":"{}","full":"{}"}}])",
                               (folder_ / "low.nii.gz").string(), (folder_ / "full.nii.gz").string())});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_TRUE(fs::exists(folder_ / "volumes/model.safetensors"));
}

// By the features of VGG-16's first block beside the paper's losses.
TEST_F(TrainCommand, LearnsByFeatures) {
  std::vector<std::string> more;
  for (const char* setting :
       {"epochs=1", "loss.perceptual.network=vgg16",
        "loss.perceptual.weights=" LUCIVOX_GOLDEN "/vgg_block1.pth", "loss.perceptual.blocks=[0.5,0,0,0,0]",
        "sparsity.criterion=none", "sparsity.dense_epochs=0"})
    more.insert(more.end(), {"--set", fmt::format("train.{}", setting)});
  const Outcome outcome = run_command(train("features", more));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const Json loss =
      Json::parse(read_file(folder_ / "features" / "run.json")).at("configuration").at("train").at("loss");
  EXPECT_EQ(loss.at("perceptual").at("network"), "vgg16");
  EXPECT_TRUE(fs::exists(folder_ / "features" / "report.html"));
}

// The best weights are those of the epoch with the smallest RMSE after the last pruning, here from the third
// on.
TEST_F(TrainCommand, TellsHowItGoesAndKeepsTheBestWeights) {
  const Outcome outcome =
      run_command(train("run", {"--set", "train.learning_rate=0.02"}));  // which makes it jump
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.error.find("low dose: RMSE 79.3 HU"), std::string::npos) << "noise of 80 HU\n"
                                                                             << outcome.error;
  EXPECT_NE(outcome.error.find("warning: this training has 60 steps on 6 slices"), std::string::npos);
  int64_t best = 0;
  double smallest = INFINITY, last = 0;
  for (const Json& line : run_lines(folder_ / "run")) {
    if (line.at("kind") != "epoch" || line.at("phase") != "sparse") continue;
    last = line.at("validation").at("rmse").get<double>();
    if (last < smallest) best = line.at("epoch").get<int64_t>() + 1;
    smallest = std::min(smallest, last);
  }
  const Json summary = Json::parse(read_file(folder_ / "run/summary.json"));
  EXPECT_NEAR(summary.at("after").at("rmse").get<double>(), smallest, 1e-3);
  EXPECT_EQ(load_model(folder_ / "run/model.safetensors").training.at("best_epoch"), best);
  EXPECT_EQ(fs::exists(folder_ / "run/model-last.safetensors"), last > smallest);
  EXPECT_TRUE(summary.at("others").contains("dense network"));
}

// 4 steps by a large rate: the network's output has nothing to do with the slices yet.
TEST_F(TrainCommand, WarnsAtItsEndOfAResultThatIsWorseThanItsInput) {
  const Outcome outcome = run_command(
      train("run", {"--quiet", "--set", "train.epochs=1", "--set", "train.sparsity.criterion=none"}));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.error.find("warning: the trained network makes slices worse than they were"),
            std::string::npos)
      << outcome.error;
  EXPECT_NE(read_file(folder_ / "run/report.html").find("worse than they were"), std::string::npos);
}

TEST_F(TrainCommand, HoldsOutSlicesUnlessThereAreOthers) {
  const std::vector<std::string> usual{
      "train", "ddnet",          "--set", "network.growth=2",
      "--set", "train.epochs=1", "--set", fmt::format("data.train={}", (data() / "train").string())};
  const auto run = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> all = usual;
    all.insert(all.end(), {"--run", (folder_ / name).string()});
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  };
  const Outcome held = run("held", {});
  ASSERT_EQ(held.code, 0) << held.error;
  EXPECT_NE(held.error.find("2 of 6 slices are held out"), std::string::npos) << held.error;
  EXPECT_EQ(Json::parse(read_file(folder_ / "held/summary.json")).at("slices"), 2);
  const Outcome none = run("none", {"--set", "data.validation=false"});
  ASSERT_EQ(none.code, 0) << none.error;
  EXPECT_FALSE(Json::parse(read_file(folder_ / "none/summary.json")).contains("slices"));
}

TEST_F(TrainCommand, ARunRecordsTheOptionsThatItEndedWith) {
  ASSERT_EQ(run_command(train("run", {"--set", "train.epochs=3"})).code, 0);
  const Outcome longer = run_command({"train", "ddnet", "--resume", "--run", (folder_ / "run").string(),
                                      "--threads", "2", "--set", "train.epochs=5"});
  ASSERT_EQ(longer.code, 0) << longer.error;
  const auto epochs = [](const Json& configuration) { return configuration.at("train").at("epochs"); };
  EXPECT_EQ(epochs(RunFolder::configuration_of(folder_ / "run")), 5);
  EXPECT_EQ(epochs(Json::parse(read_file(folder_ / "run/summary.json")).at("configuration")), 5);
  EXPECT_EQ(epochs(load_model(folder_ / "run/model.safetensors").training.at("configuration")), 5);
}

// A folder of a run stands for its model; of a run that was stopped, for its best weights so far.
TEST_F(TrainCommand, EnhanceTakesARunFolder) {
  fs::copy(straight(), folder_ / "run", fs::copy_options::recursive);
  const auto enhance = [&](const std::string& model, const std::string& out) {
    return run_command({"enhance", (folder_ / model).string(), (data() / "validation/LQ/0.tif").string(),
                        (folder_ / out).string()});
  };
  ASSERT_EQ(enhance("run", "a.tif").code, 0);
  ASSERT_EQ(enhance("run/model.safetensors", "b.tif").code, 0);
  EXPECT_TRUE(at::equal(read_image(folder_ / "a.tif"), read_image(folder_ / "b.tif")));
  // its model is not the result any more once it is resumed for more epochs
  Json about = Json::parse(read_file(folder_ / "run/run.json"));
  about["configuration"]["train"]["epochs"] = 100;
  write_file(folder_ / "run/run.json", about.dump());
  const Outcome resumed = enhance("run", "e.tif");
  ASSERT_EQ(resumed.code, 0) << resumed.error;
  EXPECT_NE(resumed.error.find("has not finished"), std::string::npos) << resumed.error;
  fs::remove(folder_ / "run/model.safetensors");
  const Outcome unfinished = enhance("run", "c.tif");
  ASSERT_EQ(unfinished.code, 0) << unfinished.error;
  EXPECT_NE(unfinished.error.find("has not finished"), std::string::npos) << unfinished.error;
  EXPECT_TRUE(at::equal(read_image(folder_ / "a.tif"), read_image(folder_ / "c.tif")));
  for (const char* weights : {"checkpoints/best.safetensors", "model-dense.safetensors"})
    fs::remove(folder_ / "run" / weights);
  EXPECT_TRUE(is_clear_error(enhance("run", "d.tif")));
  EXPECT_TRUE(is_clear_error(enhance((data() / "train").string(), "d.tif"))) << "not a run";
}

}  // namespace
}  // namespace lucivox
