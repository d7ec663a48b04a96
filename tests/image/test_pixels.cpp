#include <vector>

#include <gtest/gtest.h>

#include <lucivox/image/pixels.h>

namespace lucivox {
namespace {

std::vector<int16_t> stored(const std::vector<float>& values, const Calibration& calibration,
                            StoredRange range) {
  std::vector<int16_t> result(values.size());
  to_stored(values.data(), static_cast<int64_t>(values.size()), calibration, Scalar::Int16, range,
            result.data());
  return result;
}

TEST(Pixels, AreRoundedAndSaturatedNotWrapped) {
  // (value + 1024) / 2: 0.4 -> 512.2, 0.6 + 0.5 ulp never matter; 1e9 and -1e9 lie outside of int16
  const std::vector<int16_t> expected{512, 513, 32767, -32768};
  EXPECT_EQ(stored({0.4F, 1.2F, 1e9F, -1e9F}, {2, -1024}, range_of(Scalar::Int16)), expected);
}

TEST(Pixels, SaturateToTheStoredBits) {
  const std::vector<int16_t> expected{0, 4095};  // 12 unsigned bits in a 16-bit cell
  EXPECT_EQ(stored({-1.F, 5000.F}, {}, {0, 4095}), expected);
}

TEST(Pixels, OfEveryTypeSurviveTheRoundTrip) {
  const std::vector<float> values{0, 1, 100, 127};  // in the range of all types
  for (const Scalar scalar :
       {Scalar::UInt8, Scalar::Int8, Scalar::UInt16, Scalar::Int16, Scalar::UInt32, Scalar::Int32,
        Scalar::UInt64, Scalar::Int64, Scalar::Float32, Scalar::Float64}) {
    std::vector<double> bytes(values.size());  // large and aligned enough for any of them
    std::vector<float> back(values.size());
    to_stored(values.data(), 4, {}, scalar, range_of(scalar), bytes.data());
    to_values(bytes.data(), scalar, {}, 4, back.data());
    EXPECT_EQ(back, values) << to_string(scalar);
  }
}

TEST(Pixels, WithoutPlaceForACalibrationHounsfieldUnitsBecomeInt16) {
  ImageInfo info;
  info.scalar = Scalar::UInt16;
  info.intercept = -1024;
  info.units = Units::HU;
  EXPECT_EQ(without_calibration(info).scalar, Scalar::Int16);
  EXPECT_EQ(without_calibration(info).intercept, 0);
  info.slope = 0.25;  // quarters do not fit into integers
  EXPECT_EQ(without_calibration(info).scalar, Scalar::Float32);
}

}  // namespace
}  // namespace lucivox
