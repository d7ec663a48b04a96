// TomoGAN's training: a generator and a discriminator over the one loop.
#include <atomic>
#include <numbers>

#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/trainer.h>

namespace lucivox {
namespace {

constexpr IntensityMapping kUnitRange{
    .kind = IntensityMapping::Kind::Window, .low = 0, .high = 1, .units = Units::Unknown};

// A stack of discs and the same with noise.
std::unique_ptr<PairedSlices> noisy_discs(int64_t slices, int64_t side) {
  torch::manual_seed(slices);
  const at::Tensor x = torch::arange(side, at::kFloat) - static_cast<double>(side) / 2,
                   radius = (x.square().view({1, -1, 1}) + x.square().view({1, 1, -1})).sqrt(),
                   limits = torch::arange(slices, at::kFloat).view({-1, 1, 1}) + 5;
  const at::Tensor clean = (radius < limits).to(at::kFloat) * 0.6 + 0.2,
                   noisy = clean + 0.2 * torch::randn_like(clean);
  return paired_slices({{[noisy] { return memory_source(noisy, {}, "noisy"); },
                         [clean] { return memory_source(clean, {}, "clean"); }}});
}

SupervisedOptions short_duel() {
  SupervisedOptions options = tomogan_training();
  options.loss.perceptual.network = "none";
  options.epochs = 3;
  options.batch = 1;
  options.crop = 16;
  options.learning_rate = 1e-3;
  return options;
}

// Asks to stop while it makes the batch of a step.
class StoppedTask : public TrainingTask {
 public:
  StoppedTask(std::unique_ptr<TrainingTask> task, int64_t step, std::atomic<bool>& flag)
      : task_(std::move(task)), step_(step), flag_(flag) {}
  int64_t steps_per_epoch() const override { return task_->steps_per_epoch(); }
  std::vector<at::Tensor> batch(int64_t epoch, int64_t step) override {
    if (epoch * steps_per_epoch() + step == step_) flag_ = true;
    return task_->batch(epoch, step);
  }
  at::Tensor loss(Network& network, const std::vector<at::Tensor>& batch, Mode mode) override {
    return task_->loss(network, batch, mode);
  }
  std::optional<Validation> validate(Network& network) override { return task_->validate(network); }
  Opponent* opponent() override { return task_->opponent(); }
  Json options() const override { return task_->options(); }
  std::string data() const override { return task_->data(); }
  const Transfers& moved() const override { return task_->moved(); }

 private:
  std::unique_ptr<TrainingTask> task_;
  int64_t step_;
  std::atomic<bool>& flag_;
};

struct Duel {
  TemporaryFolder folder;
  std::unique_ptr<PairedSlices> training = noisy_discs(9, 32), validation = noisy_discs(3, 32);

  TrainResult run(Network& network, const SupervisedOptions& options, const std::string& name, Start start,
                  const StopToken& stop = {}) {
    const auto task = supervised(*training, validation.get(), kUnitRange, options, network, silence());
    RunFolder run_folder = start == Start::Fresh ? RunFolder::create(folder / name, fields_json(options))
                                                 : RunFolder::resume(folder / name, fields_json(options));
    return train(network, *task, options, run_folder, start, silence(), stop);
  }
  // Stops after step `step`, counted from 0 over epochs.
  TrainResult run_until(int64_t step, Network& network, const SupervisedOptions& options,
                        const std::string& name) {
    std::atomic<bool> flag{false};
    StoppedTask task(supervised(*training, validation.get(), kUnitRange, options, network, silence()), step,
                     flag);
    RunFolder run_folder = RunFolder::create(folder / name, fields_json(options));
    return train(network, task, options, run_folder, Start::Fresh, silence(), StopToken(flag));
  }
  // Weights and moments of both players.
  std::map<std::string, at::Tensor> checkpoint(const std::string& name) const {
    const TensorFile file = read_safetensors(RunFolder::checkpoint_of(folder / name));
    return {file.tensors.begin(), file.tensors.end()};
  }
};

Network generator(c10::Device device = c10::kCPU) {
  Network network(tomogan({.depth = 3}), 4);
  network.weights().to(device);
  return network;
}

TEST(Adversarial, ResumedTrainingIsTheSameBitForBit) {
  Duel setting;
  SupervisedOptions options = short_duel();
  Network straight = generator();
  setting.run(straight, options, "straight", Start::Fresh);

  options.epochs = 1;
  Network parts = generator();
  setting.run(parts, options, "parts", Start::Fresh);
  options.epochs = 3;
  Network anew = generator();
  setting.run(anew, options, "parts", Start::Resume);

  const auto a = setting.checkpoint("straight"), b = setting.checkpoint("parts");
  EXPECT_EQ(a.size(), b.size());
  EXPECT_TRUE(a.contains("opponent.weight.conv1.0.weight"));
  EXPECT_TRUE(a.contains("opponent.adam.m.dense2.bias"));
  for (const auto& [name, value] : a) EXPECT_TRUE(at::equal(value, b.at(name))) << name;
}

TEST(Adversarial, GoesOnInTheMiddleOfAnEpochInAnyPrecision) {
  for (const std::string precision : {"fp32", "bf16", "fp16"}) {
    Duel setting;
    SupervisedOptions options = short_duel();
    options.precision = precision;
    Network straight = generator(), stopped = generator(), anew = generator();
    setting.run(straight, options, "straight", Start::Fresh);
    const TrainResult part = setting.run_until(4, stopped, options, "parts");
    EXPECT_FALSE(part.finished);
    EXPECT_EQ(part.steps, 5);  // in the middle of the second epoch
    setting.run(anew, options, "parts", Start::Resume);
    const auto a = setting.checkpoint("straight"), b = setting.checkpoint("parts");
    EXPECT_EQ(a.size(), b.size());
    for (const auto& [name, value] : a) EXPECT_TRUE(at::equal(value, b.at(name))) << precision << " " << name;
  }
}

// Half precision: both sides have a scale of their own, and what either skips is counted.
TEST(Adversarial, OverflowsOfBothSidesAreCounted) {
  on_every_device([](c10::Device device) {
    Duel setting;
    SupervisedOptions options = short_duel();
    options.precision = "fp16";
    Network network = generator(device);
    const TrainResult result = setting.run(network, options, "run", Start::Fresh);
    const auto kept = setting.checkpoint("run");
    const auto mine = kept.at("scale.skipped").item<double>(),
               opponents = kept.at("opponent.scale.skipped").item<double>();
    EXPECT_GT(opponents, 0);
    EXPECT_EQ(static_cast<double>(result.skipped), mine + opponents);
    Json machine;
    for (const Json& line : run_lines(setting.folder / "run"))
      if (line.at("kind") == "epoch") machine = line.at("machine");
    EXPECT_EQ(machine.at("skipped_steps"), result.skipped);
  });
}

TEST(Adversarial, EveryUpdateHasABatchOfItsOwn) {
  on_every_device([](c10::Device device) {
    Duel setting;
    const Network network = generator(device);
    const SupervisedOptions options = short_duel();
    const auto task = supervised(*setting.training, nullptr, kUnitRange, options, network, silence());
    EXPECT_EQ(task->steps_per_epoch(), 3);
    ASSERT_NE(task->opponent(), nullptr);
    std::vector<at::Tensor> seen;
    for (int64_t step = 0; step < 3; ++step) {
      seen.push_back(task->batch(0, step)[1]);
      for (int64_t update = 0; update < 2; ++update)
        seen.push_back(task->opponent()->batch(0, step, update)[1]);
    }
    for (size_t i = 0; i < seen.size(); ++i) {
      for (size_t j = 0; j < i; ++j) EXPECT_FALSE(at::equal(seen[i], seen[j])) << i << " " << j;
    }
  });
}

// At the paper's rate, before either has won: the discriminator leaves guessing behind (2 ln 2, where it
// begins), and discs come out of the noise.
TEST(Adversarial, BothSidesLearn) {
  on_every_device([](c10::Device device) {
    Duel setting;
    SupervisedOptions options = short_duel();
    options.epochs = 12;
    options.batch = 2;
    options.learning_rate = tomogan_training().learning_rate;
    options.seed = 2;
    Network network = generator(device);
    const TrainResult result = setting.run(network, options, "run", Start::Fresh);
    std::vector<double> opponent, validation;
    for (const Json& line : run_lines(setting.folder / "run")) {
      if (line.at("kind") != "epoch") continue;
      opponent.push_back(line.at("opponent_loss").get<double>());
      validation.push_back(line.at("validation").at("psnr").get<double>());
    }
    EXPECT_NEAR(opponent.front(), 2 * std::numbers::ln2, 0.02);
    EXPECT_LT(opponent.back(), opponent.front() - 0.05);
    EXPECT_GT(validation.back(), validation.front() + 1);
    ASSERT_TRUE(result.validation);
  });
}

TEST(Adversarial, PrunedWeightsStayZero) {
  on_every_device([](c10::Device device) {
    Duel setting;
    SupervisedOptions options = short_duel();
    options.sparsity.pruning = {"magnitude", 0.5, "both"};
    options.sparsity.dense_epochs = 1;
    Network network = generator(device);
    const TrainResult result = setting.run(network, options, "run", Start::Fresh);
    ASSERT_FALSE(result.masks.empty());
    const auto whole = setting.checkpoint("run");  // what was removed stands there as zeros
    for (const auto& [name, mask] : result.masks)
      EXPECT_EQ((whole.at("weight." + name) * (1 - mask.cpu())).abs().max().item<double>(), 0) << name;
  });
}

TEST(Adversarial, ACollapsedDiscriminatorIsTold) {
  Duel setting;
  Network network = generator();
  const auto task = supervised(*setting.training, nullptr, kUnitRange, short_duel(), network, silence());
  const Opponent& discriminator = *task->opponent();
  EXPECT_TRUE(discriminator.warning(0.001));
  EXPECT_TRUE(discriminator.warning(2 * std::numbers::ln2));
  EXPECT_FALSE(discriminator.warning(1.0));
  EXPECT_FALSE(discriminator.warning(1.5));
}

TEST(Adversarial, RefusesWhatCannotBe) {
  Duel setting;
  const auto refuses = [&](const SupervisedOptions& options, int64_t depth) {
    Network network(tomogan({.depth = depth}), 1);
    EXPECT_THROW(supervised(*setting.training, nullptr, kUnitRange, options, network, silence()), Error);
  };
  SupervisedOptions options = short_duel();
  refuses(options, 11);  // deeper than the stack
  options.batch = 4;
  refuses(options, 3);  // three batches are more than there is
  options = short_duel();
  options.crop = 48;
  refuses(options, 3);  // larger than the slices
  const auto refused = [](const char* json) {
    EXPECT_THROW(supervised_options_from_json(Json::parse(json), tomogan_training()), Error) << json;
  };
  refused(R"({"crop": 0})");
  refused(R"({"crop": 20})");
  refused(R"({"loss": {"discriminator_updates": 0}})");
  refused(R"({"loss": {"mse": 0, "perceptual": {"network": "none"}}})");
  refused(R"({"loss": {"adversarial": -1}})");
}

TEST(Adversarial, OptionsSurviveJson) {
  const SupervisedOptions options = tomogan_training();
  EXPECT_EQ(fields_json(supervised_options_from_json(fields_json(options))), fields_json(options));
  EXPECT_EQ(options.loss.adversarial, 20);
  EXPECT_EQ(options.loss.mse, 0.5);
  EXPECT_EQ(options.loss.perceptual.blocks, (std::vector<double>{0, 0, 0, 0, 2}));
}

}  // namespace
}  // namespace lucivox
