#include <cstdlib>
#include <exception>
#include <optional>
#include <thread>

#include <unistd.h>

#define USE_C10D_GLOO
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/program/process_group.h>
#include <lucivox/train/buckets.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/rank_group.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/trainer.h>

namespace lucivox {
namespace {

// Boards that ranks of this process share.
std::vector<SharedBoard> shared_boards(int size) {
  const std::string name = fmt::format("lucivox-test-{}", ::getpid());
  std::vector<SharedBoard> boards;
  boards.push_back(SharedBoard::create(name, 0, size));
  for (int rank = 1; rank < size; ++rank) boards.push_back(SharedBoard::open(name, rank, size));
  SharedBoard::forget(name);
  return boards;
}

// Runs body(ranks) in a thread for every rank of a Gloo group, with a board as on one machine or without as
// on several; gives what each one threw.
std::vector<std::string> as_ranks(int size, const std::function<void(const Ranks&)>& body,
                                  bool board = true) {
  // PyTorch's flight recorder is one per process and enters new groups without a lock, which only ranks that
  // share a process get to feel.
  ::setenv("TORCH_FR_BUFFER_SIZE", "0", 1);
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<SharedBoard> boards;
  if (board) boards = shared_boards(size);
  std::vector<std::string> failures(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        const auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::seconds(60));
        options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
        const auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
        std::optional<SharedBoard> mine;
        if (board) mine.emplace(std::move(boards[static_cast<size_t>(rank)]));
        body(Ranks(std::make_shared<Ranks::Group>(gloo, c10::Device(c10::kCPU), std::move(mine))));
      } catch (const std::exception& error) {
        failures[static_cast<size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failures;
}

void expect_no_failures(const std::vector<std::string>& failures) {
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

std::unique_ptr<PairedSlices> noisy_pairs(int64_t slices) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(slices);
  const at::Tensor full =
                       at::upsample_bilinear2d(at::randn({slices, 1, 4, 4}, generator) * 300, {32, 32}, true)
                           .squeeze(1),
                   low = full + 80 * at::randn(full.sizes(), generator);
  return paired_slices({{[low] { return memory_source(low, {}, "low"); },
                         [full] { return memory_source(full, {}, "full"); }}});
}

SupervisedOptions short_training() {
  SupervisedOptions options;
  options.epochs = 4;
  options.batch = 6;
  options.crop = 0;
  options.learning_rate = 1e-3;
  options.sparsity.pruning = {"filters-l1", 0.5, "both"};
  options.sparsity.dense_epochs = 2;
  return options;
}

// Supervised training in float64, where what ranks add in another order than one process does is not seen.
class InDouble final : public TrainingTask {
 public:
  explicit InDouble(std::unique_ptr<TrainingTask> task) : task_(std::move(task)) {}
  int64_t steps_per_epoch() const override { return task_->steps_per_epoch(); }
  std::vector<at::Tensor> batch(int64_t epoch, int64_t step) override {
    std::vector<at::Tensor> batch = task_->batch(epoch, step);
    for (at::Tensor& values : batch) values = values.to(at::kDouble);
    return batch;
  }
  at::Tensor loss(Network& network, const std::vector<at::Tensor>& batch, Mode mode) override {
    return task_->loss(network, batch, mode);
  }
  std::optional<Validation> validate(Network&) override { return std::nullopt; }
  Json options() const override { return task_->options(); }
  std::string data() const override { return task_->data(); }
  const Transfers& moved() const override { return task_->moved(); }

 private:
  std::unique_ptr<TrainingTask> task_;
};

NamedTensors trained(const SupervisedOptions& options, const Ranks& ranks,
                     const std::filesystem::path& folder) {
  Network network(ddnet({.growth = 4}), 9);
  const auto pairs = noisy_pairs(12);
  InDouble task(supervised(*pairs, nullptr, {}, options, network, silence(), ranks));
  network.weights().to(at::kDouble);
  RunFolder run = ranks.leads() ? RunFolder::create(folder, fields_json(options)) : RunFolder::watch(folder);
  train(network, task, options, run, Start::Fresh, silence(), {}, ranks);
  return network.weights().state();
}

// Dense and sparse epochs, batch norms over the whole batch included.
TEST(Ranks, TrainAsOneProcessWithTheWholeBatchDoes) {
  TemporaryFolder folder;
  const NamedTensors alone = trained(short_training(), {}, folder / "alone");
  for (const int size : {2, 3}) {
    std::vector<NamedTensors> states(static_cast<size_t>(size));
    expect_no_failures(as_ranks(size, [&](const Ranks& ranks) {
      states[static_cast<size_t>(ranks.rank())] =
          trained(short_training(), ranks, folder / fmt::format("{}", size));
    }));
    for (const NamedTensors& state : states) {
      ASSERT_EQ(state.size(), alone.size());
      for (size_t i = 0; i < state.size(); ++i) {
        EXPECT_LT(largest_difference(state[i].second, alone[i].second), 1e-5) << size << alone[i].first;
        EXPECT_TRUE(at::equal(state[i].second, states[0][i].second))
            << "ranks drift apart: " << alone[i].first;
      }
    }
  }
}

// Both players of an adversarial training, by what is in the checkpoint after two steps in float32. Adam
// makes steps of one length of gradients of any, so that where these are nearly nothing, rounding decides on
// a direction.
TEST(Ranks, TrainAGeneratorAndItsDiscriminator) {
  TemporaryFolder folder;
  SupervisedOptions options = tomogan_training();
  options.loss.perceptual.network = "none";
  options.epochs = 1;
  options.batch = 2;
  options.crop = 16;
  const auto weights = [&](const Ranks& ranks, const std::string& name) {
    Network network(tomogan(), 9);
    const auto pairs = noisy_pairs(12);
    const auto task = supervised(*pairs, nullptr, {}, options, network, silence(), ranks);
    RunFolder run = ranks.leads() ? RunFolder::create(folder / name, fields_json(options))
                                  : RunFolder::watch(folder / name);
    train(network, *task, options, run, Start::Fresh, silence(), {}, ranks);
  };
  weights({}, "alone");
  expect_no_failures(as_ranks(2, [&](const Ranks& ranks) { weights(ranks, "together"); }));
  const auto checkpoint = [&](const std::string& run, const std::string& prefix) {
    std::vector<at::Tensor> all;
    for (const auto& [name, tensor] : read_safetensors(RunFolder::checkpoint_of(folder / run)).tensors) {
      if (name.starts_with(prefix)) all.push_back(tensor.flatten());
    }
    return at::cat(all);
  };
  for (const char* moments : {"adam.m.", "opponent.adam.m."}) {
    const at::Tensor alone = checkpoint("alone", moments), together = checkpoint("together", moments);
    EXPECT_LT(((alone - together).norm() / alone.norm()).item<double>(), 1e-3) << moments;
  }
}

// Batch norms before, between and behind joins, and nothing that has a kink, where rounding could make jumps.
Graph smooth_network() {
  Graph g;
  const NodeId x = g.input(1), a = g.convolution(g.batch_norm(x, "n1"), "c1", 8, 5),
               b = g.convolution(g.batch_norm(a, "n2"), "c2", 6, 1), joined = g.concat({a, b}),
               up = g.upsample(g.convolution(g.batch_norm(joined, "n3"), "c3", 5, 3, 2), 2);
  g.convolution(g.batch_norm(g.concat({joined, up}), "n4"), "c4", 1, 3);
  return g;
}

// Our own kernels in float32: gradients and statistics of a step are those of the whole batch.
TEST(Ranks, ShareStatisticsAndGradientsOfFusedLayers) {
  torch::manual_seed(3);
  const at::Tensor full = torch::rand({6, 1, 32, 32}), low = full + 0.1 * torch::randn_like(full);
  const auto gradients = [](const Ranks& ranks, const at::Tensor& x, const at::Tensor& y, bool share = true) {
    Network network(smooth_network(), 9);
    if (share) network.share_statistics({ranks.size(), [&](const at::Tensor& values) { ranks.sum(values); }});
    GradientBuckets buckets(network.weights(), ranks);
    const int64_t each = x.size(0) / ranks.size(), begin = ranks.rank() * each;
    at::mse_loss(network.forward(x.narrow(0, begin, each), Mode::Training), y.narrow(0, begin, each))
        .backward();
    buckets.finish();
    std::vector<at::Tensor> all;
    for (const auto& [name, weight] : network.weights().state())
      all.push_back((weight.requires_grad() ? weight.grad() : weight).flatten().clone());
    return at::cat(all);
  };
  const at::Tensor alone = gradients({}, low, full);
  const auto difference = [&](const at::Tensor& other) {
    return ((other - alone).norm() / alone.norm()).item<double>();
  };
  for (const auto& [size, board] : {std::pair{2, true}, std::pair{3, true}, std::pair{2, false}}) {
    expect_no_failures(as_ranks(
        size,
        [&, of = size](const Ranks& ranks) {
          EXPECT_LT(difference(gradients(ranks, low, full)), 1e-6) << of;
          EXPECT_GT(difference(gradients(ranks, low, full, false)), 1e-3) << "what a rank's own would be";
        },
        board));
  }
}

TEST(Ranks, ValidateTheSameWhateverTheirNumber) {
  const auto pairs = noisy_pairs(6), held_out = noisy_pairs(5);
  const auto validation = [&](const Ranks& ranks) {
    Network network(ddnet({.growth = 4}), 9);
    return *supervised(*pairs, held_out.get(), {}, short_training(), network, silence(), ranks)
                ->validate(network);
  };
  const Validation alone = validation({});
  expect_no_failures(as_ranks(2, [&](const Ranks& ranks) {
    const Validation shared = validation(ranks);
    EXPECT_NEAR(shared.loss, alone.loss, 1e-7);
    EXPECT_NEAR(shared.quality.psnr, alone.quality.psnr, 1e-6);
    EXPECT_NEAR(shared.quality.rmse, alone.quality.rmse, 1e-5);  // of some hundred HU
  }));
}

TEST(Ranks, StageEachAShareAndAllGetTheSameSlices) {
  const auto pairs = noisy_pairs(7);
  SupervisedOptions options = short_training();
  const auto whole =
      open_loader({*pairs, {}, options, 16, c10::Device(c10::kCPU), {}}, silence())->batch(2, 0);
  expect_no_failures(as_ranks(3, [&](const Ranks& ranks) {
    const Batch mine =
        open_loader({*pairs, {}, options, 16, c10::Device(c10::kCPU), ranks}, silence())->batch(2, 0);
    EXPECT_TRUE(at::equal(mine.low, whole.low.narrow(0, 2 * ranks.rank(), 2)));
    EXPECT_TRUE(at::equal(mine.full, whole.full.narrow(0, 2 * ranks.rank(), 2)));
  }));
}

// Numbers for the board, and too many for it.
TEST(Ranks, AllGetTheSameSum) {
  for (const bool board : {true, false}) {
    for (const int64_t count : {int64_t{3}, static_cast<int64_t>(SharedBoard::kBytes)}) {
      expect_no_failures(as_ranks(
          3,
          [&](const Ranks& ranks) {
            const at::Tensor values = torch::arange(count, at::kDouble) + static_cast<double>(ranks.rank());
            for (int round = 0; round < 3; ++round) {
              const at::Tensor sum = values.clone();
              ranks.sum(sum);
              EXPECT_TRUE(at::equal(sum, 3 * torch::arange(count, at::kDouble) + 3));
            }
          },
          board));
    }
  }
}

TEST(Ranks, EveryoneHearsOfADisagreement) {
  const auto failures = as_ranks(3, [](const Ranks& ranks) {
    require_agreement(ranks, "the training data", ranks.rank() == 2 ? "9 slices" : "12 slices");
  });
  for (const std::string& failure : failures)
    EXPECT_EQ(failure, "ranks differ in the training data: rank 0 has 12 slices, rank 2 has 9 slices");
}

TEST(Ranks, LossOfOneIsAnErrorForTheOthers) {
  for (const bool board : {true, false}) {
    const auto failures = as_ranks(
        2,
        [](const Ranks& ranks) {
          if (ranks.rank() == 1) throw Error("fell over");
          ranks.sum(torch::ones({3}));
        },
        board);
    EXPECT_NE(failures[0].find("rank 0 lost another one"), std::string::npos) << failures[0];
  }
}

TEST(Ranks, BatchMustBeSharable) {
  const auto pairs = noisy_pairs(12);
  const Network network(ddnet({.growth = 2}), 1);
  SupervisedOptions options = short_training();
  options.batch = 5;
  for (const std::string& failure : as_ranks(2, [&](const Ranks& ranks) {
         supervised(*pairs, nullptr, {}, options, network, silence(), ranks);
       }))
    EXPECT_EQ(failure, "a batch of 5 cannot be shared by 2 ranks");
}

// ---- what the environment says

class Variables {
 public:
  explicit Variables(std::vector<std::pair<std::string, std::string>> all) : all_(std::move(all)) {
    for (const auto& [name, value] : all_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Variables() {
    for (const auto& [name, value] : all_) ::unsetenv(name.c_str());
  }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

TEST(RankPlace, IsToldByTorchrun) {
  EXPECT_FALSE(rank_place().has_value());
  const Variables set({{"RANK", "3"},
                       {"WORLD_SIZE", "8"},
                       {"LOCAL_RANK", "1"},
                       {"MASTER_ADDR", "node7"},
                       {"MASTER_PORT", "2950"}});
  const auto place = rank_place();
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->rank, 3);
  EXPECT_EQ(place->size, 8);
  EXPECT_EQ(place->local, 1);
  EXPECT_EQ(place->host, "node7");
  EXPECT_EQ(place->port, 2950);
}

TEST(RankPlace, IsToldBySlurm) {
  for (const auto& [list, first] : std::vector<std::pair<std::string, std::string>>{
           {"gpu[03-07,09]", "gpu03"}, {"gpu[12,14]", "gpu12"}, {"a1,b[2-3]", "a1"}, {"single", "single"}}) {
    const Variables set({{"SLURM_PROCID", "1"},
                         {"SLURM_STEP_NUM_TASKS", "4"},
                         {"SLURM_LOCALID", "0"},
                         {"SLURM_STEP_NODELIST", list},
                         {"SLURM_JOB_ID", "41"}});
    const auto place = rank_place();
    ASSERT_TRUE(place.has_value());
    EXPECT_EQ(place->host, first);
    EXPECT_EQ(place->port, 20041);
    const Variables told(std::vector<std::pair<std::string, std::string>>{{"MASTER_PORT", "2950"}});
    EXPECT_EQ(rank_place()->port, 2950);
  }
}

TEST(RankPlace, RefusesNonsense) {
  for (const auto& [rank, size] :
       std::vector<std::pair<std::string, std::string>>{{"x", "2"}, {"2", "2"}, {"-1", "2"}}) {
    const Variables set({{"RANK", rank}, {"WORLD_SIZE", size}, {"MASTER_PORT", "1"}});
    EXPECT_THROW(rank_place(), Error) << rank;
  }
}

}  // namespace
}  // namespace lucivox
