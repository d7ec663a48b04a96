#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <lucivox/train/watch.h>

namespace lucivox {
namespace {

Validation with_rmse(double rmse) {
  Validation validation;
  validation.quality.rmse = rmse;
  validation.units = Units::HU;
  return validation;
}

size_t warnings_with(const std::vector<std::string>& warnings, const std::string& words) {
  return static_cast<size_t>(std::count_if(warnings.begin(), warnings.end(), [&](const std::string& text) {
    return text.find(words) != std::string::npos;
  }));
}

TEST(Watch, IsSilentWhileATrainingGoesWell) {
  Watch watch(10, 20);
  watch.begin(with_rmse(42));
  double loss = 1, rmse = 300;
  for (int64_t epoch = 0; epoch < 10; ++epoch, loss *= 0.7, rmse *= 0.3)
    EXPECT_TRUE(watch.after(epoch, 10 * (epoch + 1), loss, with_rmse(rmse)).empty()) << epoch;
}

// 413 HU where the input has 29, as a training of 90 steps once gave: named when half of it is over, once.
TEST(Watch, NamesWhatIsWorseThanItsInputOnce) {
  Watch watch(8, std::nullopt);
  watch.begin(with_rmse(29));
  size_t named = 0;
  for (int64_t epoch = 0; epoch < 8; ++epoch) {
    const auto warnings = watch.after(epoch, epoch + 1, 1, with_rmse(413));
    EXPECT_TRUE(epoch >= 4 || warnings.empty()) << "too early to tell";
    named += warnings_with(warnings, "413.0 HU against 29.0 HU");
  }
  EXPECT_EQ(named, 1U);
}

// As batches of 4 did in 42 epochs, which ended at 26 HU.
TEST(Watch, IsSilentAboutWrongLevelsAtHighLearningRates) {
  Watch watch(42, std::nullopt);
  watch.begin(with_rmse(41.4));
  for (int64_t epoch = 0; epoch < 42; ++epoch)
    EXPECT_TRUE(watch.after(epoch, epoch + 1, 1, with_rmse(epoch < 19 ? 163.6 : 30)).empty()) << epoch;
}

// 30.2 HU once, where 20 to 23 were usual and the input had 25.6.
TEST(Watch, DoesNotNameASingleBadEpoch) {
  Watch watch(100, std::nullopt);
  watch.begin(with_rmse(25.6));
  for (int64_t epoch = 79; epoch < 90; ++epoch)
    EXPECT_TRUE(watch.after(epoch, epoch + 1, 1, with_rmse(epoch % 2 == 0 ? 30.2 : 20.1)).empty());
}

// The last step of a gradual pruning left the demo at 44.9 HU for an epoch.
TEST(Watch, GivesATrainingAnEpochToMakeUpForAPruning) {
  Watch watch(8, std::nullopt);
  watch.begin(with_rmse(42));
  for (int64_t epoch = 0; epoch < 4; ++epoch)
    EXPECT_TRUE(watch.after(epoch, epoch + 1, 1, with_rmse(23)).empty());
  watch.begin_phase();
  EXPECT_TRUE(watch.after(4, 5, 1, with_rmse(44.9)).empty());
  EXPECT_TRUE(watch.after(5, 6, 1, with_rmse(25)).empty());
}

TEST(Watch, NamesWhatStaysWorseAfterAPruning) {
  Watch watch(8, std::nullopt);
  watch.begin(with_rmse(42));
  watch.begin_phase();
  EXPECT_TRUE(watch.after(4, 5, 1, with_rmse(44.9)).empty());
  EXPECT_EQ(warnings_with(watch.after(5, 6, 1, with_rmse(44.9)), "44.9 HU against 42.0 HU"), 1U);
}

TEST(Watch, NamesATrainingThatDiverges) {
  Watch watch(10, std::nullopt);
  watch.begin(std::nullopt);
  EXPECT_TRUE(watch.after(0, 1, 0.010, std::nullopt).empty());
  EXPECT_TRUE(watch.after(1, 2, 0.005, std::nullopt).empty());
  EXPECT_TRUE(watch.after(2, 3, 0.02, std::nullopt).empty()) << "one step of a small batch can do that";
  EXPECT_TRUE(watch.after(3, 4, 0.02, std::nullopt).empty()) << "and so can two";
  EXPECT_EQ(warnings_with(watch.after(4, 5, 0.02, std::nullopt), "diverges"), 1U);
  EXPECT_EQ(warnings_with(watch.after(5, 6, 0.02, std::nullopt), "diverges"), 0U) << "said already";
  watch.begin_phase();  // pruning may raise the loss
  EXPECT_TRUE(watch.after(6, 7, 0.1, std::nullopt).empty());
  for (const int64_t epoch : {7, 10})
    for (const double loss : {0.4, 0.4, 0.1})
      EXPECT_TRUE(watch.after(epoch, epoch + 1, loss, std::nullopt).empty()) << "not one after another";
}

// Whatever is compared with NaN is false.
TEST(Watch, NamesWhatIsNotFinite) {
  Watch watch(10, std::nullopt);
  watch.begin(with_rmse(42));
  watch.after(0, 1, 0.01, with_rmse(50));
  EXPECT_EQ(warnings_with(watch.after(1, 2, NAN, with_rmse(50)), "diverges"), 1U);
  EXPECT_EQ(warnings_with(watch.after(5, 6, 0.01, with_rmse(NAN)), "worse than"), 1U);
  watch.after(6, 7, 0.1, with_rmse(40));
  watch.after(7, 8, 0.1, with_rmse(40));
  EXPECT_EQ(warnings_with(watch.after(8, 9, 0.1, with_rmse(40)), "diverges"), 1U) << "0.01 was the best";
  EXPECT_TRUE(worse_than_input(with_rmse(NAN), with_rmse(42), 5000).has_value());
}

TEST(Watch, NamesALossThatIsNoNumberFromTheFirstEpochOn) {
  Watch watch(8, std::nullopt);
  watch.begin(std::nullopt);
  const std::vector<std::string> warnings = watch.after(0, 1, NAN, std::nullopt);
  ASSERT_EQ(warnings_with(warnings, "diverges"), 1U);
  EXPECT_EQ(warnings[0].find("at its best"), std::string::npos) << warnings[0];
}

TEST(Watch, NamesABadMomentToFreeze) {
  Watch watch(10, 25);
  watch.begin(with_rmse(1000));
  EXPECT_TRUE(watch.after(0, 10, 1, with_rmse(50)).empty());
  EXPECT_TRUE(watch.after(1, 20, 1, with_rmse(40)).empty());
  EXPECT_TRUE(watch.after(2, 30, 1, with_rmse(90)).empty()) << "5 steps after freezing";
  EXPECT_EQ(warnings_with(watch.after(3, 40, 1, with_rmse(90)), "bad moment"), 1U);
  EXPECT_TRUE(watch.after(4, 50, 1, with_rmse(200)).empty()) << "no longer because of the freezing";
}

TEST(Watch, AJumpThatTheNextEpochMendsIsNoBadMoment) {
  Watch watch(10, 25);
  watch.begin(with_rmse(1000));
  watch.after(1, 20, 1, with_rmse(40));
  EXPECT_TRUE(watch.after(2, 30, 1, with_rmse(90)).empty());
  EXPECT_TRUE(watch.after(3, 40, 1, with_rmse(35)).empty());
  EXPECT_TRUE(watch.after(4, 50, 1, with_rmse(90)).empty());
}

TEST(Watch, EndsWithAWarningWhenTheResultIsWorseThanItsInput) {
  EXPECT_FALSE(worse_than_input(with_rmse(20), with_rmse(42), 5000));
  EXPECT_FALSE(worse_than_input(with_rmse(20), std::nullopt, 5000));
  const auto early = worse_than_input(with_rmse(47), with_rmse(29), 480);
  ASSERT_TRUE(early.has_value());
  EXPECT_NE(early->find("train longer"), std::string::npos) << *early;
  EXPECT_TRUE(worse_than_input(with_rmse(NAN), with_rmse(29), 5000)) << "not a number is not better";
}

}  // namespace
}  // namespace lucivox
