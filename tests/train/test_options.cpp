#include <gtest/gtest.h>

#include <lucivox/base/error.h>
#include <lucivox/train/supervised_options.h>

namespace lucivox {
namespace {

// What examples/ddnet.toml says of the defaults.
TEST(TrainOptions, DefaultToTheRecipe) {
  const SupervisedOptions o = supervised_options_from_json({});
  EXPECT_EQ(o.epochs, 50);
  EXPECT_EQ(o.batch, 1);
  EXPECT_EQ(o.crop, 64);
  EXPECT_EQ(o.margin, 16);
  EXPECT_EQ(o.vary_levels, 0.3);
  EXPECT_EQ(o.learning_rate, 2e-3);
  EXPECT_EQ(o.beta2, 0.99);
  EXPECT_TRUE(o.normalize_gradients);
  EXPECT_EQ(o.schedule, "cosine");
  EXPECT_EQ(fields_json(o).at("freeze_norms_after"), "auto");
  EXPECT_TRUE(o.augment);
  EXPECT_EQ(o.loss.mse, 10);
  EXPECT_EQ(o.loss.ms_ssim, 0.1);
}

TEST(TrainOptions, SurviveJson) {
  const Json json = {
      {"epochs", 3},
      {"loss", {{"ms_ssim", 0.2}}},
      {"sparsity",
       {{"criterion", "magnitude"}, {"switch", "automatic"}, {"dense_epochs", 1}, {"gradual_epochs", 2}}}};
  const SupervisedOptions o = supervised_options_from_json(json);
  EXPECT_EQ(o.loss.ms_ssim, 0.2);
  EXPECT_EQ(o.sparsity.switching, "automatic");
  EXPECT_EQ(fields_json(supervised_options_from_json(fields_json(o))), fields_json(o));
}

// The public DDNet code weighs the blocks of VGG-16 and of VGG-19 differently; TomoGAN's has the last one.
TEST(TrainOptions, BlocksOfAPerceptualLossAreThoseOfItsNetwork) {
  const auto blocks = [](const Json& perceptual, const SupervisedOptions& defaults) {
    const Json json{{"loss", {{"perceptual", perceptual}}}};
    return supervised_options_from_json(json, defaults).loss.perceptual.blocks;
  };
  const Json vgg16{{"network", "vgg16"}}, vgg19{{"network", "vgg19"}};
  EXPECT_EQ(blocks(vgg16, {}), (std::vector<double>{0.03, 0, 0.05, 0, 0}));
  EXPECT_EQ(blocks(vgg19, {}), (std::vector<double>{0.04, 0, 0.04, 0, 0}));
  EXPECT_EQ(blocks(vgg19, tomogan_training()), (std::vector<double>{0, 0, 0, 0, 2}));
  const std::vector<double> own{0, 1, 0, 0, 0};
  EXPECT_EQ(blocks({{"network", "vgg19"}, {"blocks", own}}, {}), own);
}

TEST(TrainOptions, UnknownKeysAreNamedWithTheNearest) {
  try {
    supervised_options_from_json({{"epoch", 3}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("epoch"), std::string::npos);
    EXPECT_NE(error.hint().find("epochs"), std::string::npos);
    EXPECT_EQ(error.exit_code(), 2);
  }
}

TEST(TrainOptions, RefuseNonsense) {
  for (const Json& json : std::vector<Json>{{{"epochs", 0}},
                                            {{"epochs", 1.5}},
                                            {{"epochs", "3"}},
                                            {{"batch", -1}},
                                            {{"learning_rate", 0}},
                                            {{"beta2", 1}},
                                            {{"decay", 1.1}},
                                            {{"schedule", "linear"}},
                                            {{"margin", -16}},
                                            {{"vary_levels", 1.5}},
                                            {{"freeze_norms_after", "soon"}},
                                            {{"freeze_norms_after", -2}},
                                            {{"crop", -16}},
                                            {{"seed", -1}},
                                            {{"loss", {{"mse", -1}}}},
                                            {{"loss", {{"mse", 0}, {"ms_ssim", 0}}}}}) {
    EXPECT_THROW(supervised_options_from_json(json), Error) << json;
  }
}

TEST(SparsityOptions, RefuseNonsense) {
  for (const Json& sparsity : std::vector<Json>{
           {{"criterion", "magic"}},
           {{"targets", "magic"}},
           {{"amount", 1}},
           {{"amount", -0.1}},
           {{"switch", "sometimes"}},
           {{"learning_rate", -1e-4}},
           {{"dense_epochs", -1}},
           {{"gradual_epochs", 0}},
           {{"criterion", "magnitude"}, {"dense_epochs", 50}},
           {{"criterion", "magnitude"}, {"dense_epochs", 40}, {"gradual_epochs", 11}},
           {{"criterion", "2:4"}, {"gradual_epochs", 2}},
           {{"epochs", 25}},
       }) {
    try {
      supervised_options_from_json({{"sparsity", sparsity}});
      FAIL() << sparsity;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 2) << sparsity;
      EXPECT_FALSE(error.hint().empty()) << sparsity;
    }
  }
}

// A dense run has epochs of its own; so has one that is pruned gradually up to its last epoch.
TEST(SparsityOptions, TakeWhatFits) {
  EXPECT_NO_THROW(supervised_options_from_json({{"epochs", 5}}));
  EXPECT_NO_THROW(supervised_options_from_json(
      {{"sparsity", {{"criterion", "magnitude"}, {"dense_epochs", 40}, {"gradual_epochs", 10}}}}));
}

}  // namespace
}  // namespace lucivox
