#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/trainer.h>

namespace lucivox {
namespace {

// Blobs and the same blobs with noise, in HU.
std::unique_ptr<PairedSlices> noisy_pairs(int64_t slices, int64_t side) {
  torch::manual_seed(slices);
  const at::Tensor coarse = torch::randn({slices, 1, side / 8, side / 8}) * 300;
  const at::Tensor full = at::upsample_bilinear2d(coarse, {side, side}, true).squeeze(1);
  const at::Tensor low = full + 80 * torch::randn_like(full);
  return paired_slices({{[low] { return memory_source(low, {}, "low"); },
                         [full] { return memory_source(full, {}, "full"); }}});
}

TrainOptions short_training() {
  TrainOptions options;
  options.epochs = 4;
  options.learning_rate = 2e-3;
  options.crop = 32;
  options.sparsity = {"filters-l1", 0.5, 2};
  return options;
}

struct Setting {
  TemporaryFolder folder;
  std::unique_ptr<PairedSlices> training = noisy_pairs(6, 48), validation = noisy_pairs(2, 48);
  Console quiet{true};

  TrainResult run(Network& network, const TrainOptions& options, const std::string& name, Start start,
                  const StopToken& stop = {}) {
    const auto task = supervised(*training, validation.get(), {}, options, network.graph());
    RunFolder run_folder = start == Start::Fresh ? RunFolder::create(folder / name, to_json(options))
                                                 : RunFolder::resume(folder / name);
    return train(network, *task, options, run_folder, start, quiet, stop);
  }
};

Network small_network() {
  return Network(ddnet({.growth = 4}), 9);
}

void expect_same_state(const Network& a, const Network& b) {
  for (const auto& [name, value] : a.state()) EXPECT_TRUE(at::equal(value, b.weight(name))) << name;
}

// Sets its flag once the run has recorded `steps` steps.
class StopAfter : public TrainingTask {
 public:
  StopAfter(std::unique_ptr<TrainingTask> task, int64_t steps, std::atomic<bool>& flag)
      : task_(std::move(task)), left_(steps), flag_(flag) {}
  int64_t steps_per_epoch() const override { return task_->steps_per_epoch(); }
  double gradients(Network& network, int64_t epoch, int64_t step) override {
    if (--left_ == 0) flag_ = true;
    return task_->gradients(network, epoch, step);
  }
  std::optional<Validation> validate(Network& network) override { return task_->validate(network); }
  std::string data() const override { return task_->data(); }

 private:
  std::unique_ptr<TrainingTask> task_;
  int64_t left_;
  std::atomic<bool>& flag_;
};

TEST(Trainer, LossFallsAndValidationIsReported) {
  Setting setting;
  Network network = small_network();
  const TrainResult result = setting.run(network, short_training(), "run", Start::Fresh);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 24);
  ASSERT_TRUE(result.validation.has_value());
  std::vector<double> losses;
  for (const Json& line : RunFolder::resume(setting.folder / "run").metrics()) {
    if (line.at("kind") == "epoch") losses.push_back(line.at("loss").get<double>());
  }
  ASSERT_EQ(losses.size(), 4U);
  EXPECT_LT(losses.back(), losses.front());
}

TEST(Trainer, PrunedWeightsStayExactlyZero) {
  Setting setting;
  Network network = small_network();
  const TrainResult result = setting.run(network, short_training(), "run", Start::Fresh);
  ASSERT_FALSE(result.masks.empty());
  for (const auto& [name, mask] : result.masks) {
    EXPECT_EQ((network.weight(name) * (1 - mask)).abs().max().item<double>(), 0) << name;
  }
}

TEST(Trainer, SameSeedSameWeights) {
  Setting setting;
  Network a = small_network(), b = small_network();
  setting.run(a, short_training(), "a", Start::Fresh);
  setting.run(b, short_training(), "b", Start::Fresh);
  expect_same_state(a, b);
}

// Stopped in the middle of a dense epoch, and again in a sparse one: the same bits in the end.
TEST(Trainer, ResumedRunEqualsTheStraightOne) {
  Setting setting;
  const TrainOptions options = short_training();
  Network straight = small_network();
  setting.run(straight, options, "straight", Start::Fresh);

  for (const int64_t stop_after : {4, 15, 18}) {
    const std::string name = fmt::format("stopped-{}", stop_after);
    std::atomic<bool> flag{false};
    {
      Network stopped = small_network();
      StopAfter task(supervised(*setting.training, setting.validation.get(), {}, options, stopped.graph()),
                     stop_after, flag);
      RunFolder run = RunFolder::create(setting.folder / name, to_json(options));
      const TrainResult result =
          train(stopped, task, options, run, Start::Fresh, setting.quiet, StopToken(flag));
      EXPECT_FALSE(result.finished);
      EXPECT_EQ(result.steps, stop_after);
    }
    Network resumed(ddnet({.growth = 4}), 1234);  // all that matters comes from the checkpoint
    EXPECT_TRUE(setting.run(resumed, options, name, Start::Resume).finished);
    expect_same_state(resumed, straight);
  }
}

TEST(Trainer, RefusesToResumeWithOtherOptionsOrData) {
  Setting setting;
  TrainOptions options = short_training();
  Network network = small_network();
  setting.run(network, options, "run", Start::Fresh);
  TrainOptions faster = options;
  faster.learning_rate = 1e-2;
  EXPECT_THROW(setting.run(network, faster, "run", Start::Resume), Error);
  setting.training = noisy_pairs(7, 48);
  EXPECT_THROW(setting.run(network, options, "run", Start::Resume), Error);
}

TEST(Trainer, MoreEpochsMayFollow) {
  Setting setting;
  TrainOptions options = short_training();
  Network straight = small_network(), longer = small_network();
  setting.run(longer, options, "run", Start::Fresh);
  options.epochs = 5;
  setting.run(longer, options, "run", Start::Resume);
  setting.run(straight, options, "straight", Start::Fresh);
  expect_same_state(longer, straight);
}

TEST(Trainer, RefusesDamagedCheckpoints) {
  Setting setting;
  Network network = small_network();
  setting.run(network, short_training(), "run", Start::Fresh);
  const auto path = setting.folder / "run/checkpoints/last.safetensors";
  const std::string bytes = read_file(path);
  for (const size_t length : {size_t{0}, size_t{50}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(path, bytes.substr(0, length));
    EXPECT_THROW(setting.run(network, short_training(), "run", Start::Resume), Error) << length;
  }
}

TEST(Trainer, StopsWhenTheLossIsNoNumber) {
  Setting setting;
  Network network = small_network();
  TrainOptions options = short_training();
  const torch::NoGradGuard no_grad;
  network.weight("conv1.weight").fill_(NAN);
  const torch::AutoGradMode grad(true);
  EXPECT_THROW(setting.run(network, options, "run", Start::Fresh), Error);
}

TEST(Supervised, RefusesWhatDoesNotFit) {
  const auto pairs = noisy_pairs(2, 48);
  TrainOptions options;
  options.crop = 64;
  EXPECT_THROW(supervised(*pairs, nullptr, {}, options, ddnet({.growth = 2})), Error);
  options.crop = 40;
  EXPECT_THROW(supervised(*pairs, nullptr, {}, options, ddnet({.growth = 2})), Error);
  options.crop = 32;
  options.batch = 3;
  EXPECT_THROW(supervised(*pairs, nullptr, {}, options, ddnet({.growth = 2})), Error);
}

}  // namespace
}  // namespace lucivox
