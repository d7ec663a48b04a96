#include <gtest/gtest.h>

#include <lucivox/base/text.h>

namespace lucivox {
namespace {

TEST(Nearest, FindsMisspellingsOnly) {
  const std::vector<std::string> known{"epochs", "batch", "learning_rate"};
  EXPECT_EQ(nearest("epoch", known), "epochs");
  EXPECT_EQ(nearest("lerning_rate", known), "learning_rate");
  EXPECT_EQ(nearest("zebra", known), "");
}

TEST(NaturalLess, CountsAsPeopleDo) {
  const std::vector<std::string> sorted{"", "a", "a1", "a01b", "a002", "a2", "a10", "a10b", "b1"};
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t j = 0; j < sorted.size(); ++j)
      EXPECT_EQ(natural_less(sorted[i], sorted[j]), i < j) << sorted[i] << " " << sorted[j];
  }
}

// The test vectors of RFC 4648, section 10.
TEST(Base64, IsThatOfTheRfc) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace lucivox
