#include <gtest/gtest.h>
#include <tests/devices.h>

#include <lucivox/base/error.h>
#include <lucivox/train/staging.h>

namespace lucivox {
namespace {

constexpr double kGb = 1e9;
const c10::Device kCpu(c10::kCPU), kGpu(c10::kCUDA, 0);

TEST(Staging, TakesTheNearestPlaceWithRoom) {
  const FreeMemory free{20 * kGb, 100 * kGb};
  EXPECT_EQ(plan_staging("auto", 9 * kGb, kGpu, free).staging, Staging::Device);
  EXPECT_EQ(plan_staging("auto", 11 * kGb, kGpu, free).staging, Staging::Pinned);
  EXPECT_EQ(plan_staging("auto", 60 * kGb, kGpu, free).staging, Staging::Streaming);
  const FreeMemory cpu{10 * kGb, 10 * kGb};
  EXPECT_EQ(plan_staging("auto", 4 * kGb, kCpu, cpu).staging, Staging::Device);
  EXPECT_EQ(plan_staging("auto", 6 * kGb, kCpu, cpu).staging, Staging::Streaming);
}

TEST(Staging, SaysWhy) {
  const std::string reason = plan_staging("auto", 6 * kGb, kCpu, {10 * kGb, 10 * kGb}).reason;
  EXPECT_NE(reason.find("do not fit"), std::string::npos) << reason;
}

TEST(Staging, DoesAsAsked) {
  const FreeMemory none{0, 0};
  EXPECT_EQ(plan_staging("memory", kGb, kGpu, none).staging, Staging::Memory);
  EXPECT_EQ(plan_staging("streaming", kGb, kCpu, none).staging, Staging::Streaming);
  EXPECT_EQ(plan_staging("device", kGb, kGpu, none).staging, Staging::Device);
}

// Two ranks on one machine with a GPU each, a third on another machine with little memory.
TEST(Staging, IsPlannedAlikeByAllRanks) {
  const FreeMemory plenty{20 * kGb, 100 * kGb}, little{30 * kGb, 40 * kGb};
  const FreeMemory apart =
      share_of_each({{"a", "cuda:0", plenty}, {"a", "cuda:1", plenty}, {"b", "cuda:0", little}});
  EXPECT_EQ(apart.device, 20 * kGb);
  EXPECT_EQ(apart.host, 40 * kGb);
  const FreeMemory together = share_of_each({{"a", "cuda:0", plenty}, {"a", "cuda:0", plenty}});
  EXPECT_EQ(together.device, 10 * kGb);
  EXPECT_EQ(together.host, 50 * kGb);
}

TEST(Staging, RefusesWhatDoesNotExist) {
  EXPECT_THROW(plan_staging("pinned", kGb, kCpu, {kGb, kGb}), Error);
  EXPECT_THROW(plan_staging("cloud", kGb, kCpu, {kGb, kGb}), Error);
}

TEST(Staging, KnowsWhatIsFree) {
  on_every_device([](c10::Device device) {
    const FreeMemory free = free_memory(device);
    EXPECT_GT(free.host, 1e8);
    EXPECT_GT(free.device, 1e8);
    EXPECT_EQ(free.device == free.host, device.is_cpu());
  });
}

}  // namespace
}  // namespace lucivox
