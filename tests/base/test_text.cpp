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

// The test vectors of RFC 4648, section 10.
TEST(Base64, IsThatOfTheRfc) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace lucivox
