#include <gtest/gtest.h>

#include <lucivox/base/config.h>

namespace lucivox {
namespace {

TEST(ConfigTable, FillsWhatIsGivenAndKeepsDefaults) {
  ConfigTable table({{"a", 3}, {"name", "x"}}, "t");
  int64_t a = 1, b = 2;
  std::string name;
  table.read("a", a);
  table.read("b", b);
  table.read("name", name);
  EXPECT_NO_THROW(table.finish());
  EXPECT_EQ(a, 3);
  EXPECT_EQ(b, 2);
  EXPECT_EQ(name, "x");
}

TEST(ConfigTable, NamesTheNearestKey) {
  ConfigTable table({{"learning_rat", 3}}, "train");
  double rate = 0;
  table.read("learning_rate", rate);
  try {
    table.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("learning_rate"), std::string::npos) << error.hint();
    EXPECT_EQ(error.exit_code(), 2);
  }
}

TEST(ConfigTable, TakesNoOtherTypes) {
  ConfigTable table({{"f", 1.5}, {"b", true}, {"s", "text"}, {"n", -1}}, "t");
  int64_t integer = 0;
  uint64_t count = 0;
  double number = 0;
  bool flag = false;
  EXPECT_THROW(table.read("f", integer), Error);
  EXPECT_THROW(table.read("b", integer), Error);
  EXPECT_THROW(table.read("s", number), Error);
  EXPECT_THROW(table.read("n", count), Error);
  EXPECT_THROW(table.read("f", flag), Error);
  EXPECT_THROW(ConfigTable(Json(3), "t"), Error);
}

TEST(ConfigTable, TakesNoOtherTypesInLists) {
  ConfigTable table({{"whole", {1, 2}}, {"mixed", {1, 2.5}}, {"flags", {true}}, {"one", 3}}, "t");
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  table.read("whole", integers);
  EXPECT_EQ(integers, (std::vector<int64_t>{1, 2}));
  table.read("mixed", numbers);
  EXPECT_EQ(numbers, (std::vector<double>{1, 2.5}));
  EXPECT_THROW(table.read("mixed", integers), Error);
  EXPECT_THROW(table.read("flags", integers), Error);
  EXPECT_THROW(table.read("one", integers), Error);
}

TEST(SetValue, ReadsJsonElseText) {
  Json config;
  set_value(config, "train.epochs=3");
  set_value(config, "data.train=some/folder");
  set_value(config, "train.sparsity.amount=0.25");
  EXPECT_EQ(config["train"]["epochs"], 3);
  EXPECT_EQ(config["data"]["train"], "some/folder");
  EXPECT_EQ(config["train"]["sparsity"]["amount"], 0.25);
  EXPECT_THROW(set_value(config, "train.epochs"), Error);
  EXPECT_THROW(set_value(config, "=3"), Error);
}

}  // namespace
}  // namespace lucivox
