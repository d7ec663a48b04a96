#include <gtest/gtest.h>
#include <tests/devices.h>
#include <torch/types.h>

#include <lucivox/train/levels.h>

namespace lucivox {
namespace {

constexpr int64_t kMany = 400;

// Chest-like values in unit range, with noise of 0.02.
Batch samples(int64_t count, int64_t side, c10::Device device) {
  torch::manual_seed(3);
  const at::Tensor full = 0.2 + 0.4 * torch::rand({count, 1, side, side});
  return {(full + 0.02 * torch::randn_like(full)).to(device), full.to(device)};
}

SupervisedOptions varying(double share) {
  SupervisedOptions options;
  options.vary_levels = share;
  return options;
}

TEST(Levels, LeaveSamplesAloneUnlessAsked) {
  on_every_device([](c10::Device device) {
    const Batch batch = samples(4, 8, device), same = Levels(varying(0), {}).changed(batch, 0, 0);
    EXPECT_TRUE(at::equal(same.low, batch.low));
    EXPECT_TRUE(at::equal(same.full, batch.full));
  });
}

TEST(Levels, ChangeTheWantedShare) {
  on_every_device([](c10::Device device) {
    const Batch batch = samples(kMany, 8, device), changed = Levels(varying(0.3), {}).changed(batch, 0, 0);
    const double share = (changed.low != batch.low).flatten(1).any(1).to(at::kDouble).mean().item<double>();
    EXPECT_NEAR(share, 0.3, 3 * std::sqrt(0.3 * 0.7 / kMany));  // three standard deviations
  });
}

// What ranks see of a batch does not depend on how many of them share it.
TEST(Levels, DependOnASamplesNumberAlone) {
  on_every_device([](c10::Device device) {
    const Batch batch = samples(6, 8, device);
    const Levels levels(varying(1), {});
    const Batch whole = levels.changed(batch, 2, 30),
                rest = levels.changed({batch.low.narrow(0, 4, 2), batch.full.narrow(0, 4, 2)}, 2, 34);
    EXPECT_TRUE(at::allclose(whole.low.narrow(0, 4, 2), rest.low, 0, 1e-6));
    EXPECT_FALSE(at::allclose(whole.low, levels.changed(batch, 3, 30).low, 0, 1e-3)) << "another epoch";
  });
}

// By the formula: full' stays within what scanners give.
TEST(Levels, KeepTheRangeOfScanners) {
  on_every_device([](c10::Device device) {
    const Batch batch = samples(kMany, 16, device), changed = Levels(varying(1), {}).changed(batch, 0, 0);
    const at::Tensor hu = changed.full * 3072 - 1536;
    EXPECT_GE(hu.min().item<double>(), -1024.5);
    EXPECT_LE(hu.max().item<double>(), 2048.5);
    EXPECT_LT(hu.min().item<double>(), -900) << "air is among them";
    EXPECT_GT(hu.max().item<double>(), 1900) << "and metal";
  });
}

// Inserts have a part of the noise, evenly between none and all of it, but for a fifth that has none. Those
// of one value over the middle show it: 80 of 2000 are expected.
TEST(Levels, LeavePartOfTheNoise) {
  on_every_device([](c10::Device device) {
    const Batch batch = samples(2000, 64, device), changed = Levels(varying(1), {}).changed(batch, 0, 0);
    const at::Tensor before = batch.low - batch.full, after = changed.low - changed.full;
    EXPECT_LT((after.abs() - before.abs()).max().item<double>(), 1e-6) << "never more";
    EXPECT_GT((after * before).min().item<double>(), -1e-7) << "never turned round";
    const auto middle = [](const at::Tensor& of) { return of.narrow(2, 31, 3).narrow(3, 31, 3).flatten(1); };
    const at::Tensor full = middle(changed.full), flat = full.amax(1) - full.amin(1) < 1e-4;
    const at::Tensor part = (middle(after).norm(2, 1) / middle(before).norm(2, 1)).index({flat});
    ASSERT_GT(part.numel(), 40);
    const double deviation = 3 / std::sqrt(static_cast<double>(part.numel()));  // three of a mean's
    EXPECT_NEAR(part.mean().item<double>(), 0.4, 0.34 * deviation);
    EXPECT_NEAR((part < 1e-3).to(at::kDouble).mean().item<double>(), 0.2, 0.4 * deviation);
  });
}

// A third of the inserts have no contrast, and an eighth of their area covers the middle: 16 of 400 are
// expected.
TEST(Levels, ShowRegionsOfOneValue) {
  on_every_device([](c10::Device device) {
    const at::Tensor full = Levels(varying(1), {}).changed(samples(kMany, 64, device), 0, 0).full;
    const at::Tensor middle = full.narrow(2, 31, 3).narrow(3, 31, 3).flatten(1);
    EXPECT_GT((middle.amax(1) - middle.amin(1) < 1e-3).sum().item<int64_t>(), 4);
  });
}

}  // namespace
}  // namespace lucivox
