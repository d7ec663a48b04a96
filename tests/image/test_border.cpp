#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/image/border.h>

namespace lucivox {
namespace {

// The first rows, upside down, lie above them, the last ones below; columns likewise.
TEST(Border, MirrorsWithTheOutermostPixelsRepeated) {
  const at::Tensor image = torch::rand({2, 3, 7, 9});
  const at::Tensor rows = at::cat({image.narrow(2, 0, 1), image, image.narrow(2, 1, 6).flip(2)}, 2);
  const at::Tensor both = at::cat({rows.narrow(3, 0, 8).flip(3), rows, rows.narrow(3, 7, 2).flip(3)}, 3);
  EXPECT_TRUE(at::equal(reflected(image, Margins{.top = 1, .bottom = 6, .left = 8, .right = 2}), both));
}

// A row 1 2 3 goes on as 1 2 3 3 2 1 1 2 3 ...: a period of 6. One of a single pixel is that pixel for ever.
TEST(Border, MirrorsAgainWhereASideIsShorterThanTheMargin) {
  const at::Tensor row = torch::tensor({{1.0F, 2.0F, 3.0F}});
  EXPECT_TRUE(at::equal(reflected(row, Margins{.left = 7, .right = 5}),
                        torch::tensor({{1.0F, 1.0F, 2.0F, 3.0F, 3.0F, 2.0F, 1.0F, 1.0F, 2.0F, 3.0F, 3.0F,
                                        2.0F, 1.0F, 1.0F, 2.0F}})));
  EXPECT_TRUE(at::equal(reflected(torch::full({1, 1}, 5.0), 3), torch::full({7, 7}, 5.0)));
}

TEST(Border, MarginIsCutAwayAgain) {
  const at::Tensor image = torch::rand({1, 5, 4});
  EXPECT_TRUE(at::equal(without_margin(reflected(image, 11), 11), image));
}

TEST(Border, IsKeptInJson) {
  const Border border = border_from_json(to_json(Border{Border::Rule::Reflect, 48}));
  EXPECT_EQ(border.rule, Border::Rule::Reflect);
  EXPECT_EQ(border.margin, 48);
  EXPECT_EQ(border_from_json(to_json(Border{})).rule, Border::Rule::Zeros);
  EXPECT_EQ(border_from_json({{"rule", "reflect"}}).margin, 32);
}

TEST(Border, UnknownRuleOrImpossibleMarginIsAnError) {
  EXPECT_THROW(border_from_json({{"rule", "wrap"}}), Error);
  EXPECT_THROW(border_from_json({{"rule", "reflect"}, {"margin", -1}}), Error);
  EXPECT_THROW(border_from_json({{"rule", "reflect"}, {"margin", int64_t{1} << 40}}), Error);
}

}  // namespace
}  // namespace lucivox
