#include <cmath>

#include <gtest/gtest.h>

#include <lucivox/base/random.h>
#include <lucivox/train/schedule.h>

namespace lucivox {
namespace {

// Losses that fall to `last` by the given steps from epoch to epoch.
std::vector<double> falling_by(const std::vector<double>& steps, double last) {
  std::vector<double> losses(steps.size() + 1, last);
  for (size_t t = steps.size(); t-- > 0;) losses[t] = losses[t + 1] + steps[t];
  return losses;
}

// Figure 4b: the gradient falls by a tenth of an order an epoch up to the knee, and stays there.
std::vector<double> figure_4b(size_t epochs, size_t knee) {
  std::vector<double> steps;
  for (size_t t = 0; t + 1 < epochs; ++t)
    steps.push_back(1e-2 * std::pow(10, -static_cast<double>(std::min(t, knee)) / 10));
  return falling_by(steps, 1e-3);
}

// The number of dense epochs after which the loss is first found flat; 0: never.
size_t first_flat(const std::vector<double>& losses) {
  for (size_t n = 1; n <= losses.size(); ++n) {
    if (flattening({losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(n)})) return n;
  }
  return 0;
}

SparsityOptions automatic(int64_t dense_epochs) {
  SparsityOptions options;
  options.pruning.criterion = "magnitude";
  options.switching = "automatic";
  options.dense_epochs = dense_epochs;
  return options;
}

// Ten smoothed gradients within half an order: up to five from before the knee, five and the median's two
// after.
TEST(Flattening, ComesWithTheKneeOfFigure4b) {
  for (const size_t knee : {20, 28}) {
    const size_t found = first_flat(figure_4b(50, knee));
    EXPECT_GT(found, knee) << "while the gradient still fell";
    EXPECT_LE(found, knee + 10) << "long after it had stopped to";
  }
}

TEST(Flattening, StandsNoise) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    std::vector<double> losses = figure_4b(50, 28);
    for (size_t t = 0; t + 1 < losses.size(); ++t)
      losses[t] += 0.3 * (losses[t] - losses[t + 1]) * random.normal();
    const size_t found = first_flat(losses);
    EXPECT_GT(found, 24U) << seed;
    EXPECT_LE(found, 45U) << seed;
  }
}

// An outlier, such as the very first epoch, is no order of magnitude.
TEST(Flattening, IsNotMisledByASingleJump) {
  std::vector<double> losses = falling_by(std::vector<double>(40, 1e-3), 0.1);
  losses.front() = 100;
  EXPECT_EQ(first_flat(losses), 0U);
  std::vector<double> jump = figure_4b(50, 28);
  jump[33] *= 5;
  EXPECT_GT(first_flat(jump), 28U);
  EXPECT_LE(first_flat(jump), 40U);
}

TEST(Flattening, NeedsALossThatFell) {
  EXPECT_EQ(first_flat(falling_by(std::vector<double>(60, 1e-3), 0.1)), 0U) << "it falls as fast as ever";
  EXPECT_EQ(first_flat(std::vector<double>(60, 0.1)), 0U) << "it never fell";
  EXPECT_EQ(first_flat({}), 0U);
}

TEST(Flattening, ComesToALossThatStandsStill) {
  std::vector<double> losses = figure_4b(8, 8);
  losses.resize(30, losses.back());
  EXPECT_GT(first_flat(losses), 0U);
}

TEST(Flattening, TellsTheNumbers) {
  const auto reason = flattening(figure_4b(50, 28));
  ASSERT_TRUE(reason.has_value());
  EXPECT_NE(reason->find("1.6e-05 to 1.6e-05"), std::string::npos) << *reason;  // 1e-2 * 10^-2.8
  EXPECT_NE(reason->find("(6.3e-03)"), std::string::npos)
      << *reason;  // the median of the first five, 1e-2 * 10^-0.2
}

TEST(SwitchAfter, FixedIsAfterTheDenseEpochs) {
  SparsityOptions options;
  options.dense_epochs = 3;
  EXPECT_FALSE(switch_after({1, 1, 1, 1}, options)) << "nothing to prune by";
  options.pruning.criterion = "magnitude";
  EXPECT_FALSE(switch_after({1, 1}, options));
  const auto due = switch_after({1, 1, 1}, options);
  ASSERT_TRUE(due);
  EXPECT_EQ(due->epoch, 3);
  EXPECT_EQ(due->reason, "3 dense epochs as planned");
}

TEST(SwitchAfter, AutomaticIsWhenFlatOrAtTheLimit) {
  const std::vector<double> losses = figure_4b(50, 28);
  const auto flat = static_cast<int64_t>(first_flat(losses));
  const auto first = [&](int64_t limit) {
    for (size_t n = 0; n <= losses.size(); ++n) {
      const std::vector<double> before(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(n));
      if (const auto due = switch_after(before, automatic(limit))) return *due;
    }
    return Switch{-1, ""};
  };
  EXPECT_EQ(first(50).epoch, flat);
  EXPECT_NE(first(50).reason.find("half an order of magnitude"), std::string::npos);
  EXPECT_EQ(first(20).epoch, 20);
  EXPECT_NE(first(20).reason.find("not flattened"), std::string::npos);
}

// Zhu and Gupta, equation 1, by hand for s_f = 0.8 and n = 4: 0.8 (1 - (3/4)^3), ...
TEST(AmountAt, RisesByTheCubicSchedule) {
  SparsityOptions options;
  options.pruning.amount = 0.8;
  options.gradual_epochs = 4;
  EXPECT_NEAR(amount_at(1, options).value(), 0.4625, 1e-15);
  EXPECT_NEAR(amount_at(2, options).value(), 0.7, 1e-15);
  EXPECT_NEAR(amount_at(3, options).value(), 0.7875, 1e-15);
  EXPECT_EQ(amount_at(4, options), 0.8);
  EXPECT_EQ(amount_at(5, options), std::nullopt);
  options.gradual_epochs = 1;
  EXPECT_EQ(amount_at(1, options), 0.8) << "at once";
}

TEST(LearningRateAt, GoesOnDecayingUnlessTheSparseEpochsHaveTheirOwn) {
  TrainOptions options;
  options.learning_rate = 0.1;
  options.schedule = "exponential";
  options.decay = 0.5;
  const Switch at{2, ""};
  EXPECT_EQ(learning_rate_at(0, std::nullopt, options), 0.1);
  EXPECT_EQ(learning_rate_at(3, std::nullopt, options), 0.0125);
  EXPECT_EQ(learning_rate_at(3, at, options), 0.0125);
  options.sparsity.learning_rate = 0.08;
  EXPECT_EQ(learning_rate_at(1, std::nullopt, options), 0.05);
  EXPECT_EQ(learning_rate_at(2, at, options), 0.08);
  EXPECT_EQ(learning_rate_at(3, at, options), 0.04);
}

// Half a cosine is 1 at its beginning, 1/2 in the middle and 0 at its end.
TEST(LearningRate, FollowsHalfACosine) {
  TrainOptions options;
  options.epochs = 100;
  options.learning_rate = 1e-3;
  EXPECT_LT(learning_rate_at(0, std::nullopt, options), 1e-4) << "warms up";
  EXPECT_NEAR(learning_rate_at(50, std::nullopt, options), 0.5e-3, 1e-9);
  EXPECT_NEAR(learning_rate_at(75, std::nullopt, options), 1e-3 * (1 - std::sqrt(0.5)) / 2, 1e-9);
  EXPECT_NEAR(learning_rate_at(100, std::nullopt, options), 0, 1e-9);
  double last = 1;
  for (int quarter = 8; quarter <= 400; ++quarter) {
    const double rate = learning_rate_at(quarter / 4.0, std::nullopt, options);
    EXPECT_LT(rate, last);
    last = rate;
  }
}

// Dense epochs whose network is pruned at a rate of its own end their cosine when they end.
TEST(LearningRate, BeginsAnewWithSparseEpochsOfTheirOwnRate) {
  TrainOptions options;
  options.epochs = 60;
  options.learning_rate = 2e-3;
  options.sparsity.pruning.criterion = "filters-l1";
  options.sparsity.dense_epochs = 40;
  options.sparsity.learning_rate = 1e-3;
  EXPECT_NEAR(learning_rate_at(20, std::nullopt, options), 1e-3, 1e-9);
  EXPECT_NEAR(learning_rate_at(40, std::nullopt, options), 0, 1e-9);
  const Switch at_40{40, ""};
  EXPECT_NEAR(learning_rate_at(50, at_40, options), 0.5e-3, 1e-9);
  EXPECT_NEAR(learning_rate_at(60, at_40, options), 0, 1e-9);
}

TEST(Freezing, ComesAfterATenthOfTheTrainingButNotTooEarlyOrTooLate) {
  TrainOptions options;
  options.epochs = 100;
  EXPECT_EQ(freezing_step(options, 100), 1000);
  EXPECT_EQ(freezing_step(options, 10), 160);  // a tenth would be 100 steps
  EXPECT_EQ(freezing_step(options, 1), 33);    // a third
  options.freeze_norms_after = 2.5;
  EXPECT_EQ(freezing_step(options, 100), 250);
  options.freeze_norms_after = 0;
  EXPECT_FALSE(freezing_step(options, 100));
}

TEST(Schedule, WarmsUpAnewOnceNormsAreFrozen) {
  EXPECT_EQ(warmth_after_freezing(5, std::nullopt, 1000), 1);
  EXPECT_EQ(warmth_after_freezing(199, 200, 1000), 1) << "live still";
  EXPECT_NEAR(warmth_after_freezing(200, 200, 1000), 1.0 / 101, 1e-12);
  EXPECT_NEAR(warmth_after_freezing(250, 200, 1000), 51.0 / 101, 1e-12);
  EXPECT_EQ(warmth_after_freezing(300, 200, 1000), 1) << "a tenth of the training later";
  EXPECT_EQ(warmth_after_freezing(20, 10, 1000), 1) << "or as long as they were live";
  EXPECT_EQ(warmth_after_freezing(0, 0, 1000), 1);
}

}  // namespace
}  // namespace lucivox
