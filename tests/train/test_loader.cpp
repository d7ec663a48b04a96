#include <gtest/gtest.h>
#include <tests/devices.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/train/loader.h>

namespace lucivox {
namespace {

constexpr int64_t kSlices = 6;

// Slices of two sizes in which every pixel has a value of its own.
std::unique_ptr<PairedSlices> unlike_pairs() {
  std::vector<VolumePair> volumes;
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{40, 33}, {32, 50}}) {
    const at::Tensor low = torch::arange(3 * rows * columns, at::kFloat).view({3, rows, columns}) / 16 +
                           static_cast<double>(columns),
                     full = -low;
    volumes.push_back({[low] { return memory_source(low, {}, "low"); },
                       [full] { return memory_source(full, {}, "full"); }});
  }
  return paired_slices(std::move(volumes));
}

SupervisedOptions options_with(const std::string& staging, bool augment) {
  SupervisedOptions options;
  options.batch = 2;
  options.crop = 16;
  options.augment = augment;
  options.staging = staging;
  return options;
}

std::unique_ptr<Loader> loader_with(PairedSlices& pairs, const SupervisedOptions& options,
                                    c10::Device device = c10::kCPU) {
  return open_loader({pairs, {}, options, 16, device, {}}, silence());
}

std::vector<std::string> stagings_for(c10::Device device) {
  std::vector<std::string> stagings{"device", "memory", "streaming"};
  if (!device.is_cpu()) stagings.emplace_back("pinned");
  return stagings;
}

// The reference: cut out, flipped and turned by libtorch.
TEST(Loader, StagedAndStreamedBatchesAreTheSamplesThatWereDrawn) {
  const auto pairs = unlike_pairs();
  const auto expect_samples = [&](const SupervisedOptions& options, c10::Device device) {
    const auto loader = loader_with(*pairs, options, device);
    std::vector<std::array<int64_t, 2>> shapes;
    for (int64_t i = 0; i < kSlices; ++i) shapes.push_back(pairs->shape(i));
    Sampling sampling(shapes, options, 16);
    for (int64_t epoch = 0; epoch < 8; ++epoch) {
      for (int64_t step = 0; step < sampling.steps_per_epoch(); ++step) {
        const Batch batch = loader->batch(epoch, step);
        EXPECT_EQ(batch.low.device(), device);
        ASSERT_EQ(batch.low.sizes(), (at::IntArrayRef{2, 1, 16, 16}));
        const at::Tensor low = batch.low.cpu(), full = batch.full.cpu();
        const std::vector<Sample> samples = sampling.step(epoch, step);
        for (int64_t n = 0; n < 2; ++n) {
          const Sample& s = samples[static_cast<size_t>(n)];
          at::Tensor part = pairs->read(s.slice).low.narrow(0, s.top, 16).narrow(1, s.left, 16);
          if (s.mirrored) part = part.flip(1);
          const at::Tensor expected = (at::rot90(part, s.turns) + 1536) / 3072;
          EXPECT_TRUE(at::allclose(low[n][0], expected, 0, 1e-6)) << options.staging << " " << epoch;
          EXPECT_TRUE(at::allclose(full[n][0] - 0.5, 0.5 - low[n][0], 0, 1e-6)) << options.staging;
        }
      }
    }
  };
  on_every_device([&](c10::Device device) {
    for (const bool augment : {false, true}) {
      for (const std::string& staging : stagings_for(device))
        expect_samples(options_with(staging, augment), device);
    }
  });
}

// At the ends of a stack its outermost slice is repeated.
TEST(Loader, GivesAdjacentSlices) {
  const auto pairs = unlike_pairs();
  EXPECT_EQ(neighbours(*pairs, 0, 3), (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(neighbours(*pairs, 2, 5), (std::vector<int64_t>{0, 1, 2, 2, 2}));
  EXPECT_EQ(neighbours(*pairs, 4, 3), (std::vector<int64_t>{3, 4, 5}));
  const auto expect_neighbours = [&](const SupervisedOptions& options, c10::Device device) {
    LoaderSetting setting{*pairs, {}, options, 16, device, {}};
    const auto single = open_loader(setting, silence());
    setting.depth = 3;
    const auto deep = open_loader(setting, silence());
    std::vector<std::array<int64_t, 2>> shapes;
    for (int64_t i = 0; i < kSlices; ++i) shapes.push_back(pairs->shape(i));
    Sampling sampling(shapes, options, 16);
    for (int64_t step = 0; step < sampling.steps_per_epoch(); ++step) {
      const Batch one = single->batch(2, step), three = deep->batch(2, step);
      ASSERT_EQ(three.low.sizes(), (at::IntArrayRef{2, 3, 16, 16}));
      EXPECT_TRUE(at::equal(three.low.narrow(1, 1, 1), one.low));
      EXPECT_TRUE(at::equal(three.full, one.full));
      const std::vector<Sample> samples = sampling.step(2, step);
      for (int64_t n = 0; n < 2; ++n) {
        const Sample& s = samples[static_cast<size_t>(n)];
        const Batch whole = read_whole(*pairs, s.slice, 3, {});
        EXPECT_TRUE(at::allclose(three.low[n].cpu(), cut(whole.low, s)[0], 0, 1e-6)) << options.staging;
      }
    }
  };
  on_every_device([&](c10::Device device) {
    for (const std::string staging : {"device", "streaming"})
      expect_neighbours(options_with(staging, true), device);
  });
}

TEST(Loader, AnyStepMayComeFirst) {
  const auto pairs = unlike_pairs();
  on_every_device([&](c10::Device device) {
    for (const std::string staging : {"device", "streaming"}) {
      const auto straight = loader_with(*pairs, options_with(staging, true), device),
                 resumed = loader_with(*pairs, options_with(staging, true), device);
      for (int64_t step = 0; step < 2; ++step) straight->batch(3, step);
      EXPECT_TRUE(at::equal(straight->batch(3, 2).low, resumed->batch(3, 2).low)) << staging;
    }
  });
}

TEST(Loader, CountsWhatItMoves) {
  const auto pairs = unlike_pairs();
  on_every_device([&](c10::Device device) {
    const auto loader = loader_with(*pairs, options_with("device", false), device);
    loader->batch(0, 0);
    EXPECT_EQ(loader->moved().device_to_device, 2 * 2 * 16 * 16 * 4);
    // all slices and the epoch's walks, unless the device is the host
    constexpr int64_t pixels = 3 * 40 * 33 + 3 * 32 * 50;
    EXPECT_EQ(loader->moved().host_to_device, device.is_cpu() ? 0 : 2 * pixels * 4 + kSlices * 3 * 8);
  });
}

TEST(Loader, TellsWhatCannotBeRead) {
  const at::Tensor broken = torch::full({2, 16, 16}, NAN);
  const auto pairs = paired_slices({{[=] { return memory_source(broken, {}, "low"); },
                                     [=] { return memory_source(broken, {}, "full"); }}});
  EXPECT_THROW(loader_with(*pairs, options_with("device", false)), Error);
  EXPECT_THROW(loader_with(*pairs, options_with("streaming", false))->batch(0, 0), Error);
}

}  // namespace
}  // namespace lucivox
