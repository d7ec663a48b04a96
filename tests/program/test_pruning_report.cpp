#include <gtest/gtest.h>

#include <lucivox/program/pruning_report.h>

namespace lucivox {
namespace {

EpochRecord epoch(int64_t number, double psnr) {
  EpochRecord record;
  record.step = 10 * (number + 1);
  record.epoch = number;
  record.loss = 1.0 / static_cast<double>(number + 1);
  record.validation = ValidationRecord{{.psnr = psnr, .ssim = 0.8, .ms_ssim = 0.9}, 0.1};
  return record;
}

PruningRecord pruning(int64_t epoch, double amount, double psnr) {
  PruningRecord record;
  record.step = 10 * epoch + 1;
  record.epoch = epoch;
  record.reason = "2 dense epochs as planned";
  record.criterion = "magnitude";
  record.amount = record.sparsity = amount;
  record.weights = {3, {1, 4, 1}, {1, 0, 1}};
  record.validation = ValidationRecord{{.psnr = psnr, .ssim = 0.5, .ms_ssim = 0.6}, 0.3};
  return record;
}

// Two dense epochs, two prunings, and an epoch after each: dense is before the first, pruned after the last.
TEST(PruningSummary, TellsDensePrunedAndRetrained) {
  const Json summary = pruning_summary(
      {epoch(0, 30), epoch(1, 31), pruning(2, 0.4, 21), epoch(2, 28), pruning(3, 0.5, 22), epoch(3, 29)});
  EXPECT_EQ(summary.at("dense").at("psnr"), 31.0);
  EXPECT_EQ(summary.at("pruned").at("psnr"), 22.0);
  EXPECT_EQ(summary.at("retrained").at("psnr"), 29.0);
  EXPECT_EQ(summary.at("dense_epochs"), 2);
  EXPECT_EQ(summary.at("prunings"), 2);
  EXPECT_EQ(summary.at("amount"), 0.5);
  const auto table = pruning_table(summary);
  ASSERT_TRUE(table.has_value());
  ASSERT_EQ(table->rows.size(), 3U);
  EXPECT_EQ(table->rows[0][3], "31.00");
  EXPECT_EQ(table->rows[1][0], "right after the last of 2 prunings");
  EXPECT_EQ(table->rows[1][3], "22.00");
}

TEST(PruningSummary, KnowsRunsWithoutDenseEpochsAndWithoutPruning) {
  EXPECT_TRUE(pruning_summary({epoch(0, 30)}).empty());
  EXPECT_FALSE(pruning_table(pruning_summary({epoch(0, 30)})).has_value());
  const Json summary = pruning_summary({pruning(0, 0.5, 5), epoch(0, 20)});
  EXPECT_FALSE(summary.contains("dense"));
  EXPECT_EQ(pruning_table(summary)->rows.size(), 2U);
}

TEST(PruningSummary, NeedsNoValidation) {
  EpochRecord first = epoch(0, 30), last = epoch(1, 20);
  PruningRecord pruned = pruning(1, 0.5, 5);
  first.validation = last.validation = pruned.validation = std::nullopt;
  const Json summary = pruning_summary({first, pruned, last});
  EXPECT_EQ(summary.at("sparsity"), 0.5);
  EXPECT_FALSE(pruning_table(summary).has_value());
}

TEST(PruningCharts, ShowTheSwitchAndTheWeights) {
  const auto charts = pruning_charts({epoch(0, 30), epoch(1, 31), pruning(2, 0.5, 21), epoch(2, 28)});
  ASSERT_EQ(charts.size(), 2U);
  EXPECT_NE(charts[0].find(">pruned<"), std::string::npos);
  EXPECT_NE(charts[1].find(">before pruning<"), std::string::npos);
  EXPECT_TRUE(pruning_charts({epoch(0, 30)}).empty());
}

}  // namespace
}  // namespace lucivox
