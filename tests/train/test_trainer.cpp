#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/checkpoint.h>
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

// Without what depends on how long a training is.
SupervisedOptions short_training() {
  SupervisedOptions options;
  options.epochs = 4;
  options.batch = 1;
  options.learning_rate = 2e-3;
  options.schedule = "exponential";
  options.freeze_norms_after = 0;
  options.crop = 32;
  options.sparsity.pruning = {"filters-l1", 0.5, "both"};
  options.sparsity.dense_epochs = 2;
  return options;
}

struct Setting {
  TemporaryFolder folder;
  std::unique_ptr<PairedSlices> training = noisy_pairs(6, 48), validation = noisy_pairs(2, 48);
  Reporter& quiet = silence();

  TrainResult run(Network& network, const SupervisedOptions& options, const std::string& name, Start start,
                  const StopToken& stop = {}) {
    const auto task = supervised(*training, validation.get(), {}, options, network, quiet);
    RunFolder run_folder = start == Start::Fresh ? RunFolder::create(folder / name, fields_json(options))
                                                 : RunFolder::resume(folder / name, fields_json(options));
    return train(network, *task, options, run_folder, start, quiet, stop);
  }
};

Network small_network() {
  return Network(ddnet({.growth = 4}), 9);
}

void expect_same_state(const Network& a, const Network& b) {
  for (const auto& [name, value] : a.weights().state())
    EXPECT_TRUE(at::equal(value, b.weights().weight(name))) << name;
}

Json first_pruning(const std::vector<Json>& metrics) {
  for (const Json& line : metrics) {
    if (line.at("kind") == "pruning") return line;
  }
  throw Error("nothing was pruned", "");
}

// What a run recorded, but for how long it took and what of the machine.
std::vector<Json> timeless(std::vector<Json> metrics) {
  for (Json& line : metrics) {
    for (const char* key : {"seconds", "machine"}) line.erase(key);
  }
  return metrics;
}

// Tells losses that flatten as figure 4b does, whatever the network's are. Sets its flag once the run has
// recorded `steps` steps.
class StagedTask : public TrainingTask {
 public:
  StagedTask(std::unique_ptr<TrainingTask> task, int64_t steps, std::atomic<bool>& flag)
      : task_(std::move(task)), left_(steps), flag_(flag) {}
  int64_t steps_per_epoch() const override { return task_->steps_per_epoch(); }
  std::vector<at::Tensor> batch(int64_t epoch, int64_t step) override {
    if (--left_ == 0) flag_ = true;
    told_ = std::pow(10, -static_cast<double>(epoch) / 2) + 1 - 1e-4 * static_cast<double>(epoch);
    return task_->batch(epoch, step);
  }
  at::Tensor loss(Network& network, const std::vector<at::Tensor>& batch, Mode mode) override {
    const at::Tensor loss = task_->loss(network, batch, mode);
    return loss - loss.detach() + told_;
  }
  std::optional<Validation> validate(Network& network) override { return task_->validate(network); }
  Json options() const override { return task_->options(); }
  std::string data() const override { return task_->data(); }
  const Transfers& moved() const override { return task_->moved(); }

 private:
  std::unique_ptr<TrainingTask> task_;
  int64_t left_;
  double told_ = 0;
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
  for (const Json& line : run_lines(setting.folder / "run")) {
    if (line.at("kind") == "epoch") losses.push_back(line.at("loss").get<double>());
  }
  ASSERT_EQ(losses.size(), 4U);
  EXPECT_LT(losses.back(), losses.front());
}

TEST(Trainer, SameSeedSameWeights) {
  Setting setting;
  Network a = small_network(), b = small_network();
  setting.run(a, short_training(), "a", Start::Fresh);
  setting.run(b, short_training(), "b", Start::Fresh);
  expect_same_state(a, b);
}

// One schedule of each kind: at once, gradual with a learning rate of its own, and automatic.
std::vector<SupervisedOptions> schedules() {
  const SupervisedOptions at_once = short_training();
  SupervisedOptions gradual = at_once;
  gradual.sparsity.pruning.criterion = "magnitude";
  gradual.sparsity.gradual_epochs = 2;
  gradual.sparsity.learning_rate = 1e-3;
  SupervisedOptions automatic = at_once;
  automatic.epochs = 24;
  automatic.batch = 6;
  automatic.sparsity.switching = "automatic";
  automatic.sparsity.dense_epochs = 22;
  return {at_once, gradual, automatic};
}

// What a sparse run holds comes back to where its network is. Without pruned channels, so that the network
// stays whole and its masks with it; on GPUs sums have no fixed order.
TEST(Trainer, ResumesASparseRunOnEveryDevice) {
  on_every_device([](c10::Device device) {
    Setting setting;
    SupervisedOptions options = short_training();
    options.sparsity.pruning = {"magnitude", 0.5, "both"};
    const auto there = [&] {
      Network network = small_network();
      network.weights().to(device);
      return network;
    };
    Network straight = there(), resumed = there();
    setting.run(straight, options, "straight", Start::Fresh);
    SupervisedOptions begun = options;
    begun.epochs = 3;
    Network stopped = there();
    setting.run(stopped, begun, "resumed", Start::Fresh);
    setting.run(resumed, options, "resumed", Start::Resume);
    for (const auto& [name, weight] : resumed.weights().state()) {
      const at::Tensor& same = straight.weights().weight(name);
      EXPECT_EQ(weight.device(), device) << name;
      EXPECT_LT(largest_difference(weight, same), device.is_cpu() ? 1e-30 : 1e-2) << name;
      EXPECT_TRUE(at::equal(weight == 0, same == 0)) << name;
    }
  });
}

// Stopped in the middle of a dense epoch, right before the switch, and in sparse epochs: the same bits in the
// end.
TEST(Trainer, ResumedRunEqualsTheStraightOne) {
  for (const SupervisedOptions& options : schedules()) {
    Setting setting;
    const auto run = [&](Network& network, const std::string& name, Start start, int64_t stop_after) {
      std::atomic<bool> flag{false};
      StagedTask task(
          supervised(*setting.training, setting.validation.get(), {}, options, network, setting.quiet),
          stop_after, flag);
      RunFolder folder = start == Start::Fresh
                             ? RunFolder::create(setting.folder / name, fields_json(options))
                             : RunFolder::resume(setting.folder / name, fields_json(options));
      return train(network, task, options, folder, start, setting.quiet, StopToken(flag));
    };
    Network straight = small_network();
    const TrainResult whole = run(straight, "straight", Start::Fresh, 0);
    const auto metrics = run_lines(setting.folder / "straight");
    const int64_t before = first_pruning(metrics).at("step").get<int64_t>() - 1;
    for (const int64_t stop_after : {int64_t{4}, before, before + 1, whole.steps - 1}) {
      const std::string name = fmt::format("stopped-{}", stop_after);
      Network stopped = small_network();
      const TrainResult part = run(stopped, name, Start::Fresh, stop_after);
      EXPECT_FALSE(part.finished);
      EXPECT_EQ(part.steps, stop_after);
      Network resumed(ddnet({.growth = 4}), 1234);  // all that matters comes from the checkpoint
      EXPECT_TRUE(run(resumed, name, Start::Resume, 0).finished);
      expect_same_state(resumed, straight);
      EXPECT_EQ(timeless(run_lines(setting.folder / name)), timeless(metrics));
    }
  }
}

// The staged losses fall by half an order an epoch until 1e-4 an epoch is left, after 8 epochs.
TEST(Trainer, AutomaticSwitchComesWithTheFlattening) {
  Setting setting;
  const SupervisedOptions options = schedules().back();
  Network network = small_network();
  std::atomic<bool> flag{false};
  StagedTask task(supervised(*setting.training, nullptr, {}, options, network, setting.quiet), 0, flag);
  RunFolder run = RunFolder::create(setting.folder / "run", fields_json(options));
  train(network, task, options, run, Start::Fresh, setting.quiet, {});
  const Json pruning = first_pruning(run_lines(run.path()));
  EXPECT_GT(pruning.at("epoch"), 14);
  EXPECT_LT(pruning.at("epoch"), 22);
  EXPECT_NE(pruning.at("reason").get<std::string>().find("1.0e-04"), std::string::npos) << pruning;
}

// Every criterion, at once and gradually: what was pruned once is zero in the end, and never comes back.
TEST(Trainer, PrunedWeightsOfEveryCriterionStayExactlyZero) {
  for (const std::string& criterion : pruning_criteria()) {
    if (criterion == "none") continue;
    for (const int64_t gradual : {1, 2}) {
      if (criterion == "2:4" && gradual > 1) continue;
      Setting setting;
      SupervisedOptions options = short_training();
      options.sparsity.pruning.criterion = criterion;
      options.sparsity.dense_epochs = 1;
      options.sparsity.gradual_epochs = gradual;
      Network network = small_network();
      const TrainResult result = setting.run(network, options, "run", Start::Fresh);
      const bool structured = criterion.starts_with("filters") || criterion.starts_with("channels");
      // others may by chance leave a channel without weights
      EXPECT_TRUE(result.removed || !structured) << criterion;
      const Weights whole =
          result.removed ? expand(*result.removed, network.weights()) : network.weights().share();
      int64_t pruned = 0;
      for (const auto& [name, mask] : result.masks) {
        EXPECT_TRUE(whole.weight(name).masked_select(mask == 0).eq(0).all().item<bool>()) << name;
        EXPECT_TRUE(whole.weight(name).masked_select(mask == 1).ne(0).any().item<bool>()) << name;
        pruned += (mask == 0).sum().item<int64_t>();
      }
      EXPECT_GT(pruned, 0) << criterion;
    }
  }
}

TEST(Trainer, GradualPruningOnlyEverPrunesMore) {
  Setting setting;
  SupervisedOptions options = short_training();
  options.sparsity.pruning.criterion = "magnitude";
  options.sparsity.dense_epochs = 1;
  options.sparsity.gradual_epochs = 3;
  std::vector<Masks> masks;
  for (int64_t epochs = 2; epochs <= 4; ++epochs) {
    options.epochs = epochs;  // one pruning more each time
    Network network = small_network();
    masks.push_back(setting.run(network, options, "run", epochs == 2 ? Start::Fresh : Start::Resume).masks);
  }
  for (const size_t later : {size_t{1}, size_t{2}}) {
    int64_t more = 0;
    for (size_t i = 0; i < masks[later].size(); ++i) {
      ASSERT_EQ(masks[later][i].first, masks[later - 1][i].first);
      const at::Tensor gone = masks[later - 1][i].second - masks[later][i].second;
      EXPECT_TRUE((gone >= 0).all().item<bool>()) << masks[later][i].first << " came back";
      more += gone.sum().item<int64_t>();
    }
    EXPECT_GT(more, 0);
  }
  double amount = 0;
  for (const Json& line : run_lines(setting.folder / "run")) {
    if (line.at("kind") != "pruning") continue;
    EXPECT_NEAR(line.at("sparsity").get<double>(), line.at("amount").get<double>(), 0.01);
    amount = line.at("amount").get<double>();
  }
  EXPECT_EQ(amount, 0.5);
}

// Table 1: what pruning alone makes of the network, and how the weights lay before and after. The sparse
// epoch learns nothing here, so that it ends with the network that pruning left.
TEST(Trainer, RecordsWhatPruningAloneCosts) {
  Setting setting;
  SupervisedOptions options = short_training();
  options.sparsity.pruning = {"random", 0.5, "both"};
  options.sparsity.dense_epochs = 3;
  options.sparsity.learning_rate = 1e-30;
  options.freeze_norms_after = 1;
  Network network = small_network();
  setting.run(network, options, "run", Start::Fresh);
  Json dense, sparse;
  for (const Json& line : run_lines(setting.folder / "run")) {
    if (line.at("kind") == "epoch") (line.at("phase") == "dense" ? dense : sparse) = line;
  }
  const Json pruning = first_pruning(run_lines(setting.folder / "run"));
  EXPECT_EQ(pruning.at("step"), 19) << "the first sparse one of 6 an epoch";
  EXPECT_EQ(pruning.at("reason"), "3 dense epochs as planned");
  const auto rmse = [](const Json& line) { return line.at("validation").at("rmse").get<double>(); };
  EXPECT_NEAR(rmse(pruning), rmse(sparse), 1e-4) << "HU; rounded otherwise once channels are cut out";
  EXPECT_GT(std::abs(rmse(pruning) - rmse(dense)), 1);
  const auto sum = [&](const char* when) {
    const auto counts = pruning.at("weights").at(when).get<std::vector<int64_t>>();
    return static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  };
  EXPECT_NEAR(sum("after") / sum("before"), 1 - pruning.at("sparsity").get<double>(), 1e-12);
}

// A run that branches off the dense part of another is that run: the same bits and the same record.
TEST(Trainer, BranchesOffTheDensePartOfAnotherRun) {
  Setting setting;
  const SupervisedOptions first = short_training();
  SupervisedOptions other = first;
  other.sparsity.pruning = {"random", 0.3, "both"};
  other.sparsity.dense_epochs = 3;
  Network trained = small_network(), straight = small_network(), branched = small_network();
  setting.run(trained, first, "first", Start::Fresh);
  setting.run(straight, other, "straight", Start::Fresh);

  const RunFolder from = RunFolder::resume(setting.folder / "first", fields_json(first));
  const RunFolder to = RunFolder::create(setting.folder / "branched", fields_json(other));
  branch_checkpoint(from.dense_checkpoint(), to.checkpoint(), other.sparsity,
                    fields_json(other, Fields::Decisive));
  setting.run(branched, other, "branched", Start::Resume);
  expect_same_state(branched, straight);
}

TEST(Trainer, BranchesOffOnlyWhereTheOtherRunWouldHavePassed) {
  Setting setting;
  const SupervisedOptions options = short_training();
  Network network = small_network();
  setting.run(network, options, "run", Start::Fresh);
  const RunFolder run = RunFolder::resume(setting.folder / "run", fields_json(options));
  const auto to = setting.folder / "branch.safetensors";
  SupervisedOptions earlier = options, faster = options;
  earlier.sparsity.dense_epochs = 1;
  faster.learning_rate = 1e-2;
  EXPECT_THROW(
      branch_checkpoint(run.dense_checkpoint(), to, earlier.sparsity, fields_json(earlier, Fields::Decisive)),
      Error);
  EXPECT_THROW(
      branch_checkpoint(run.dense_checkpoint(), to, faster.sparsity, fields_json(faster, Fields::Decisive)),
      Error);
  EXPECT_THROW(
      branch_checkpoint(run.checkpoint(), to, options.sparsity, fields_json(options, Fields::Decisive)),
      Error)
      << "sparse";
  EXPECT_FALSE(std::filesystem::exists(to));
}

TEST(Trainer, RefusesToResumeWithOtherOptionsOrData) {
  Setting setting;
  SupervisedOptions options = short_training();
  Network network = small_network();
  setting.run(network, options, "run", Start::Fresh);
  SupervisedOptions faster = options;
  faster.learning_rate = 1e-2;
  EXPECT_THROW(setting.run(network, faster, "run", Start::Resume), Error);
  SupervisedOptions other_criterion = options;
  other_criterion.sparsity.pruning.criterion = "magnitude";
  EXPECT_THROW(setting.run(network, other_criterion, "run", Start::Resume), Error);
  setting.training = noisy_pairs(7, 48);
  EXPECT_THROW(setting.run(network, options, "run", Start::Resume), Error);
}

TEST(Trainer, MoreEpochsMayFollow) {
  Setting setting;
  SupervisedOptions options = short_training();
  Network straight = small_network(), shorter = small_network(), longer = small_network();
  setting.run(shorter, options, "run", Start::Fresh);
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

// The message of what `body` throws.
std::string refusal(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Trainer, TellsWhatACheckpointWasTrainedWith) {
  Setting setting;
  Network network = small_network();
  SupervisedOptions options = short_training();
  setting.run(network, options, "run", Start::Fresh);
  options.sparsity.pruning.criterion = "random";
  const std::string told = refusal([&] { setting.run(network, options, "run", Start::Resume); });
  EXPECT_NE(told.find("sparsity.criterion = \"filters-l1\", not \"random\""), std::string::npos) << told;
}

TEST(Trainer, RefusesMasksOfAnotherNetwork) {
  Setting setting;
  Network network = small_network();
  SupervisedOptions options = short_training();
  options.sparsity.pruning.criterion = "magnitude";
  setting.run(network, options, "run", Start::Fresh);
  const auto path = setting.folder / "run/checkpoints/last.safetensors";
  TensorFile file = read_safetensors(path);
  const auto mask = std::find_if(file.tensors.begin(), file.tensors.end(),
                                 [](const auto& entry) { return entry.first == "mask.conv1.weight"; });
  ASSERT_NE(mask, file.tensors.end());
  mask->second = torch::ones({3, 1, 7, 7});
  write_safetensors(path, file);
  Network resumed = small_network();
  const std::string told = refusal([&] { setting.run(resumed, options, "run", Start::Resume); });
  EXPECT_NE(told.find("last.safetensors: the mask of 'conv1.weight' belongs to another network"),
            std::string::npos)
      << told;
}

TEST(Trainer, StopsWhenTheLossIsNoNumber) {
  Setting setting;
  Network network = small_network();
  SupervisedOptions options = short_training();
  const torch::NoGradGuard no_grad;
  network.weights().weight("conv1.weight").fill_(NAN);
  const torch::AutoGradMode grad(true);
  EXPECT_THROW(setting.run(network, options, "run", Start::Fresh), Error);
}

// Half precision: a scale that overflows is halved until it does not, and no step before that counts.
TEST(Trainer, SkipsAndCountsStepsThatOverflow) {
  Setting setting;
  Network network = small_network();
  SupervisedOptions options = short_training();
  options.precision = "fp16";
  options.loss.mse = 10;  // 65536 times its gradient is beyond half precision
  const TrainResult result = setting.run(network, options, "run", Start::Fresh);
  EXPECT_GT(result.skipped, 0);
  Json machine;
  for (const Json& line : run_lines(setting.folder / "run"))
    if (line.at("kind") == "epoch") machine = line.at("machine");
  EXPECT_EQ(machine.at("skipped_steps"), result.skipped);
  EXPECT_EQ(machine.at("loss_scale").get<double>(), std::exp2(16 - static_cast<double>(result.skipped)));
  for (const auto& [name, weight] : network.weights().state())
    EXPECT_TRUE(at::isfinite(weight).all().item<bool>()) << name;
}

TEST(Trainer, ResumedMixedPrecisionEqualsTheStraightOne) {
  for (const std::string precision : {"bf16", "fp16"}) {
    Setting setting;
    SupervisedOptions options = short_training();
    options.precision = precision;
    options.epochs = 3;
    Network straight = small_network(), stopped = small_network();
    setting.run(straight, options, "straight", Start::Fresh);
    std::atomic<bool> flag{true};
    EXPECT_FALSE(setting.run(stopped, options, "stopped", Start::Fresh, StopToken(flag)).finished);
    setting.run(stopped, options, "stopped", Start::Resume);
    expect_same_state(straight, stopped);
  }
}

// The default recipe: live norms at first, then frozen by statistics of their own; levels, margins, a cosine.
SupervisedOptions by_the_recipe() {
  SupervisedOptions options;
  options.epochs = 6;
  options.batch = 1;
  options.crop = 32;
  options.vary_levels = 0.5;
  options.freeze_norms_after = 2.5;  // epochs of 6 steps
  return options;
}

TEST(Trainer, StopsAndResumesByTheRecipeBitForBit) {
  Setting setting;
  const SupervisedOptions options = by_the_recipe();
  Network straight = small_network();
  const TrainResult whole = setting.run(straight, options, "straight", Start::Fresh);
  for (const int64_t stop_after :
       {int64_t{14}, int64_t{15}, int64_t{16}, whole.steps - 1}) {  // 15: frozen next
    const std::string name = fmt::format("stopped-{}", stop_after);
    Network stopped = small_network(), resumed(ddnet({.growth = 4}), 1234);
    std::atomic<bool> flag{false};
    StagedTask task(supervised(*setting.training, nullptr, {}, options, stopped, setting.quiet), stop_after,
                    flag);
    RunFolder folder = RunFolder::create(setting.folder / name, fields_json(options));
    train(stopped, task, options, folder, Start::Fresh, setting.quiet, StopToken(flag));
    EXPECT_TRUE(setting.run(resumed, options, name, Start::Resume).finished);
    expect_same_state(resumed, straight);
  }
}

// Frozen norms compute what live ones would of as many samples: at that moment the network changes by little.
TEST(Trainer, FreezesNormsByTheStatisticsOfManySamples) {
  Setting setting;
  SupervisedOptions options = by_the_recipe();
  options.epochs = 3;
  options.freeze_norms_after = 3 - 1.0 / 6;  // before the last step
  options.learning_rate = 1e-9;              // which shall not hide it
  Network network = small_network();
  setting.run(network, options, "run", Start::Fresh);
  const auto task = supervised(*setting.training, nullptr, {}, options, network, setting.quiet);
  std::vector<at::Tensor> inputs;
  for (int64_t step = 0; step < 6; ++step) inputs.push_back(task->batch(2, step).front());
  const torch::NoGradGuard no_grad;
  const at::Tensor all = at::cat(inputs), frozen = network.forward(all, Mode::Evaluation),
                   live = network.forward(all, Mode::Training);
  // Running variances are unbiased: on the coarsest level, of 96 pixels, 1 % larger than those that live
  // norms use, layer after layer. What follows the last few batches instead is off by the size of the output.
  EXPECT_LT((frozen - live).abs().max().item<double>(), 0.1 * live.abs().max().item<double>());
}

// The smallest RMSE that the record has, of all dense epochs or of those after the last pruning.
TEST(Trainer, KeepsTheBestWeightsOfTheLastPhase) {
  Setting setting;
  SupervisedOptions options = short_training();
  options.epochs = 8;
  options.sparsity.dense_epochs = 4;
  options.sparsity.gradual_epochs = 2;
  Network network = small_network();
  const auto task =
      supervised(*setting.training, setting.validation.get(), {}, options, network, setting.quiet);
  RunFolder run = RunFolder::create(setting.folder / "run", fields_json(options));
  std::vector<std::filesystem::path> written;
  const ModelWriter write_model = [&](const auto& path, const Weights& best, const auto&) {
    written.push_back(path);
    save_model(path, Model{best.share(), {}, "best", {}, "0"});
  };
  const TrainResult result =
      train(network, *task, options, run, Start::Fresh, setting.quiet, {}, {}, write_model);
  double smallest_dense = INFINITY, smallest = INFINITY;
  for (const Json& line : run_lines(run.path())) {
    if (line.at("kind") != "epoch") continue;
    const double rmse = line.at("validation").at("rmse").get<double>();
    const int64_t epoch = line.at("epoch").get<int64_t>();
    if (epoch < 4) smallest_dense = std::min(smallest_dense, rmse);
    if (epoch >= 5) smallest = std::min(smallest, rmse);  // the second pruning begins epoch 5
  }
  ASSERT_TRUE(result.best.has_value());
  EXPECT_EQ(result.best->validation.quality.rmse, smallest);
  for (const auto& [path, rmse] :
       {std::pair{run.dense_model(), smallest_dense}, std::pair{run.best(), smallest}}) {
    Network best(load_model(path).weights.share());
    EXPECT_EQ(task->validate(best)->quality.rmse, rmse) << path;
  }
  EXPECT_EQ(written.back(), run.best());
  // as if it had been killed before the first checkpoint of the sparse phase, whose best weights are there
  // already
  const std::string best_dense = read_file(run.dense_model());
  std::filesystem::copy_file(run.dense_checkpoint(), run.checkpoint(),
                             std::filesystem::copy_options::overwrite_existing);
  Network again = small_network();
  RunFolder resumed = RunFolder::resume(setting.folder / "run", fields_json(options));
  const auto same =
      supervised(*setting.training, setting.validation.get(), {}, options, again, setting.quiet);
  EXPECT_EQ(train(again, *same, options, resumed, Start::Resume, setting.quiet, {}, {}, write_model)
                .best->validation.quality.rmse,
            smallest);
  EXPECT_EQ(read_file(run.dense_model()), best_dense);
}

// Half precision may overflow in validation while norms are live; nothing is compared with NaN.
class OverflowsAtFirst : public StagedTask {
 public:
  OverflowsAtFirst(std::unique_ptr<TrainingTask> task, std::atomic<bool>& flag)
      : StagedTask(std::move(task), 1 << 20, flag) {}
  std::optional<Validation> validate(Network& network) override {
    auto validation = StagedTask::validate(network);
    if (validations_++ == 0) validation->quality.rmse = NAN;
    return validation;
  }

 private:
  int64_t validations_ = 0;
};

TEST(Trainer, DoesNotTakeNanForTheBest) {
  Setting setting;
  SupervisedOptions options = short_training();
  options.sparsity.pruning.criterion = "none";
  Network network = small_network();
  std::atomic<bool> unused{false};
  OverflowsAtFirst task(
      supervised(*setting.training, setting.validation.get(), {}, options, network, setting.quiet), unused);
  RunFolder run = RunFolder::create(setting.folder / "run", fields_json(options));
  const TrainResult result = train(network, task, options, run, Start::Fresh, setting.quiet, {});
  ASSERT_TRUE(result.best.has_value());
  EXPECT_GT(result.best->epoch, 0);
  EXPECT_TRUE(std::isfinite(result.best->validation.quality.rmse));
  // and goes on from a record in which NaN is null
  options.epochs = 5;
  RunFolder longer = RunFolder::resume(setting.folder / "run", fields_json(options));
  EXPECT_TRUE(train(network, task, options, longer, Start::Resume, setting.quiet, {}).finished);
}

TEST(Trainer, RecordsTheLowDoseAsBaseline) {
  Setting setting;
  Network network = small_network();
  const TrainResult result = setting.run(network, short_training(), "run", Start::Fresh);
  const Json line = run_lines(setting.folder / "run").front();
  EXPECT_EQ(line.at("kind"), "baseline");
  // noise of 80 HU was added
  EXPECT_NEAR(line.at("validation").at("rmse").get<double>(), 80, 4);
  EXPECT_EQ(result.baseline->quality.rmse, line.at("validation").at("rmse").get<double>());
}

TEST(Supervised, RefusesWhatDoesNotFit) {
  const auto pairs = noisy_pairs(2, 48);
  const Network network = small_network();
  SupervisedOptions options;
  options.crop = 64;
  EXPECT_THROW(supervised(*pairs, nullptr, {}, options, network, silence()), Error);
  options.crop = 40;
  EXPECT_THROW(supervised(*pairs, nullptr, {}, options, network, silence()), Error);
  options.crop = 32;
  options.batch = 3;
  EXPECT_THROW(supervised(*pairs, nullptr, {}, options, network, silence()), Error);
}

}  // namespace
}  // namespace lucivox
