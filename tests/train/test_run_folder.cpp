#include <gtest/gtest.h>
#include <tests/temporary_folder.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/train/run_folder.h>

namespace lucivox {
namespace {

StepRecord step(int64_t n) {
  return {.step = n, .epoch = 0, .loss = 0.5, .learning_rate = 1e-3, .seconds = 0.1, .opponent_loss = {}};
}

std::vector<int64_t> steps_of(const RunRecords& records) {
  std::vector<int64_t> steps;
  for (const RunRecord& record : records) steps.push_back(step_of(record));
  return steps;
}

TEST(RunFolder, KeepsItsConfigurationAndMetrics) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", {{"epochs", 3}});
  run.record(step(1));
  run.record(step(2));
  EXPECT_EQ(RunFolder::configuration_of(folder / "run").at("epochs"), 3);
  EXPECT_EQ(steps_of(run.records()), (std::vector<int64_t>{1, 2}));
}

// A killed run may leave lines beyond its checkpoint, the last of them half written.
TEST(RunFolder, ForgetsWhatCameAfterACheckpoint) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", {});
  for (int64_t n = 1; n <= 4; ++n) run.record(step(n));
  append_file(folder / "run/metrics.jsonl", R"({"kind":"step","st)");
  run.forget_after(2);
  EXPECT_EQ(steps_of(run.records()), (std::vector<int64_t>{1, 2}));
}

TEST(RunFolder, NeitherOverwritesARunNorResumesNone) {
  const TemporaryFolder folder;
  RunFolder::create(folder / "run", {});
  EXPECT_THROW(RunFolder::create(folder / "run", {}), Error);
  EXPECT_THROW(RunFolder::resume(folder / "run", {}), Error) << "no checkpoint yet";
  EXPECT_THROW(RunFolder::resume(folder / "none", {}), Error);
  EXPECT_THROW(RunFolder::resume(folder.path(), {}), Error);
}

TEST(RunFolder, RecordsTheConfigurationThatItIsResumedWith) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", {{"epochs", 60}});
  write_file(run.checkpoint(), "as if");
  RunFolder::resume(folder / "run", {{"epochs", 80}});
  EXPECT_EQ(RunFolder::configuration_of(folder / "run").at("epochs"), 80);
}

}  // namespace
}  // namespace lucivox
