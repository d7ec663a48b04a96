#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <png.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/program/font.h>
#include <lucivox/program/picture.h>

namespace lucivox {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

at::Tensor decode(const std::string& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()), 0) << image.message;
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  at::Tensor pixels = torch::empty({image.height, image.width, colour ? 3 : 1}, at::kByte);
  EXPECT_NE(png_image_finish_read(&image, nullptr, pixels.data_ptr(), 0, nullptr), 0) << image.message;
  return colour ? pixels : pixels.squeeze(2);
}

// CIE 1976 lightness of an sRGB colour (IEC 61966-2-1, D65), 0 to 100.
double lightness(const at::Tensor& rgb) {
  const auto linear = [&](int64_t channel) {
    const double v = rgb[channel].item<double>() / 255;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  const double y = 0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2);
  return 116 * std::cbrt(y) - 16;
}

at::Tensor colour_of(double value, double range) {
  return difference(torch::full({1, 1}, value, at::kFloat), range)[0][0];
}

Triptych flat_triptych(int64_t height, int64_t width) {
  Triptych t;
  t.low_dose = torch::full({height, width}, -500.0f);
  t.enhanced = torch::full({height, width}, -590.0f);
  t.full_dose = torch::full({height, width}, -600.0f);
  return t;
}

TEST(Png, GreyPixelsComeBackAsTheyWere) {
  const at::Tensor picture = torch::arange(0, 256, at::kByte).view({8, 32});
  EXPECT_TRUE(torch::equal(decode(png(picture)), picture));
}

TEST(Png, ColourPixelsComeBackAsTheyWereFromAnyMemoryLayout) {
  const at::Tensor channels_first = torch::arange(0, 3 * 5 * 7, at::kByte).view({3, 5, 7});
  const at::Tensor picture = channels_first.permute({1, 2, 0});
  EXPECT_TRUE(torch::equal(decode(png(picture)), picture));
}

TEST(Png, EmptyPictureIsAnError) {
  EXPECT_THROW(png(torch::empty({0, 4}, at::kByte)), Error);
}

TEST(Window, IsBlackAtItsLowerEdgeAndWhiteAtItsUpper) {
  const DisplayWindow lung;  // -600 +- 750
  const at::Tensor hu = torch::tensor({{-3000.0f, -1350.0f, -600.0f, 150.0f, 3000.0f, kNan}});
  // half of 255 rounds to 128 (half to even)
  const at::Tensor expected = torch::tensor({{0, 0, 128, 255, 255, 0}}, at::kByte);
  EXPECT_TRUE(torch::equal(grey(hu, lung), expected)) << grey(hu, lung);
}

TEST(Window, WithoutWidthIsAnError) {
  EXPECT_THROW(grey(torch::zeros({1, 1}), {.centre = 0, .width = 0}), Error);
}

TEST(DifferenceMap, IsWhiteAtZeroRedAboveAndBlueBelow) {
  EXPECT_TRUE(torch::equal(colour_of(0, 100), torch::tensor({255, 255, 255}, at::kByte)));
  for (const double value : {20.0, 50.0, 100.0}) {
    const at::Tensor above = colour_of(value, 100), below = colour_of(-value, 100);
    EXPECT_GT(above[0].item<int>(), above[2].item<int>() + 20) << value;
    EXPECT_GT(below[2].item<int>(), below[0].item<int>() + 20) << value;
  }
}

TEST(DifferenceMap, BothSidesAreEquallyDarkAndDarkenWithEveryStep) {
  double last = 100.5;
  for (int value = 0; value <= 100; value += 10) {
    const double above = lightness(colour_of(value, 100)), below = lightness(colour_of(-value, 100));
    EXPECT_LT(std::abs(above - below), 3) << value;  // about one just noticeable difference
    EXPECT_LT(std::max(above, below), last) << value;
    last = std::min(above, below);
  }
}

TEST(DifferenceMap, SaturatesBeyondItsRangeAndShowsNanAsGrey) {
  EXPECT_TRUE(torch::equal(colour_of(1e9, 100), colour_of(100, 100)));
  EXPECT_TRUE(torch::equal(colour_of(-std::numeric_limits<double>::infinity(), 100), colour_of(-100, 100)));
  EXPECT_TRUE(torch::equal(colour_of(kNan, 100), torch::tensor({128, 128, 128}, at::kByte)));
  EXPECT_THROW(difference(torch::zeros({1, 1}), 0), Error);
}

TEST(Font, EveryPrintableCharacterLeavesItsOwnMark) {
  std::vector<at::Tensor> seen;
  for (char c = '!'; c <= '~'; ++c) {
    at::Tensor rgb = torch::full({8, 5, 3}, 255, at::kByte);
    draw_text(rgb, 0, 0, std::string(1, c), {0, 0, 0}, 1);
    EXPECT_LT(rgb.min().item<int>(), 255) << c;
    for (const at::Tensor& other : seen) EXPECT_FALSE(torch::equal(rgb, other)) << c;
    seen.push_back(rgb);
  }
}

TEST(Font, TextIsAsWideAsMeasuredAndCutOffAtTheEdge) {
  const std::string text = "Wg|";
  at::Tensor rgb = torch::full({16, 60, 3}, 255, at::kByte);
  draw_text(rgb, 0, 0, text, {0, 0, 0}, 2);
  const at::Tensor inked_columns = (rgb.amin({0, 2}) < 255).nonzero();
  EXPECT_EQ(inked_columns.max().item<int64_t>() + 1, text_width(text, 2));
  EXPECT_NO_THROW(draw_text(rgb, -7, 12, "over the edge and far away", {0, 0, 0}, 3));
}

TEST(Font, CharacterOutsideAsciiIsOneQuestionMark) {
  EXPECT_EQ(text_width("\xC2\xB1", 1), text_width("?", 1));  // plus-minus in UTF-8
}

TEST(Triptych, ShowsImagesAboveAndDifferencesBelow) {
  Triptych t = flat_triptych(400, 400);
  t.difference_range = 100;
  const at::Tensor figure = triptych(t);
  ASSERT_EQ(figure.scalar_type(), at::kByte);
  ASSERT_EQ(figure.size(2), 3);
  const auto count = [&](const at::Tensor& colour) {
    return (figure == colour).all(2).sum().item<int64_t>();
  };
  // a panel of 400 x 400 of each image's grey (colours of the bar may add a few)
  for (const at::Tensor& panel : {t.low_dose, t.enhanced, t.full_dose}) {
    EXPECT_GE(count(grey(panel, t.windows[0])[0][0].expand({3})), 400 * 400);
  }
  EXPECT_GE(count(colour_of(100, 100)), 400 * 400);  // low dose - full dose
  EXPECT_GE(count(colour_of(10, 100)), 400 * 400);   // enhanced - full dose
}

TEST(Triptych, SmallImagesAreEnlargedByAWholeFactor) {
  // 100 pixels need a factor of 4 to reach 384
  const at::Tensor figure = triptych(flat_triptych(100, 100));
  EXPECT_GE(figure.size(1), 3 * 400);
  EXPECT_LT(figure.size(1), 3 * 500);
}

TEST(Triptych, IdenticalImagesHaveAWhiteDifference) {
  Triptych t = flat_triptych(400, 400);
  t.low_dose = t.enhanced = t.full_dose;
  const at::Tensor figure = triptych(t);
  EXPECT_GE((figure == 255).all(2).sum().item<int64_t>(), 2 * 400 * 400);
}

TEST(Triptych, ImagesOfDifferentSizeAreAnError) {
  Triptych t = flat_triptych(400, 400);
  t.enhanced = torch::zeros({400, 399});
  EXPECT_THROW(triptych(t), Error);
  t.enhanced = at::Tensor();
  EXPECT_THROW(triptych(t), Error);
}

}  // namespace
}  // namespace lucivox
