#include <gtest/gtest.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/graph.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/networks/vgg.h>

namespace lucivox {
namespace {

// 45 layers and 566,451 parameters: what the public reference counts.
TEST(Ddnet, HasTheReferencesLayersAndParameters) {
  const Graph graph = ddnet();
  EXPECT_EQ(graph.layer_count(), 45);
  EXPECT_EQ(graph.parameter_count(), 566'451);
}

TEST(Ddnet, CarriesTheReferencesNames) {
  std::vector<std::string> names;
  for (const WeightSpec& weight : ddnet().weights()) names.push_back(weight.name);
  for (const char* name :
       {"batch1.running_mean", "conv1.weight", "dnet1.conv1_0.weight", "dnet4.batch_norm2_3.running_var",
        "conv5.bias", "convT1.weight", "batch13.bias", "convT8.bias"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

// Four poolings by 2.
TEST(Ddnet, NeedsSidesOfMultiplesOf16) {
  EXPECT_EQ(ddnet().size_multiple(), 16);
}

// The stem alone is 2 * 49 * 16 operations a pixel; the whole network about 40 GFLOP for 512x512 by the
// paper's count of multiplications and additions.
TEST(Ddnet, CostsWhatThePaperSays) {
  const double gflop = ddnet().flops(512, 512) / 1e9;
  EXPECT_GT(gflop, 35);
  EXPECT_LT(gflop, 45);
}

TEST(Graph, CountsOneConvolutionByHand) {
  Graph g;
  g.convolution(g.input(3), "c", 5, 7);
  EXPECT_EQ(g.parameter_count(), 5 * 3 * 49 + 5);
  EXPECT_DOUBLE_EQ(g.flops(10, 20), 2.0 * 5 * 3 * 49 * 200);
  EXPECT_EQ(g.receptive_radius(), 3);
  EXPECT_EQ(g.size_multiple(), 1);
}

TEST(Graph, SurvivesItsDescription) {
  for (const Graph& graph : {ddnet({.growth = 4}), tomogan(), tomogan_discriminator(64)}) {
    const Graph again = graph_from_json(to_json(graph));
    EXPECT_EQ(to_json(again), to_json(graph));
    EXPECT_EQ(again.parameter_count(), graph.parameter_count());
  }
}

// What Keras counts for the public reference's networks.
TEST(Tomogan, HasTheReferencesParameters) {
  EXPECT_EQ(tomogan({.depth = 3}).parameter_count(), 694'913);
  EXPECT_EQ(tomogan().size_multiple(), 8);
  EXPECT_EQ(tomogan_discriminator(256).parameter_count(), 411'204 + 4 * 32 * 32 * 64 + 64 + 65);
  EXPECT_THROW(tomogan({.depth = 2}), Error);
  EXPECT_THROW(tomogan({.depth = -1}), Error);
  EXPECT_THROW(tomogan_discriminator(20), Error);
}

// torchvision's counts without the classifiers.
TEST(Vgg, HasTorchvisionsParametersAndNames) {
  for (const auto& [layers, parameters, last] :
       {std::tuple(16, 14'714'688, "features.28.bias"), std::tuple(19, 20'024'384, "features.34.bias")}) {
    const std::vector<Graph> blocks = vgg_blocks(layers);
    int64_t count = 0;
    for (const Graph& block : blocks) count += block.parameter_count();
    EXPECT_EQ(count, parameters);
    EXPECT_EQ(blocks.back().weights().back().name, last);
  }
  EXPECT_THROW(vgg_blocks(11), Error);
}

TEST(Graph, CountsStridesAndDenseLayersByHand) {
  Graph g;
  const NodeId x = g.convolution(g.input(2), "c", 3, 3, 2);
  EXPECT_EQ(g.size_multiple(), 1);
  g.dense(x, "d", 4, 5);
  EXPECT_EQ(g.parameter_count(), 3 * 2 * 9 + 3 + 5 * 3 * 16 + 5);
  EXPECT_DOUBLE_EQ(g.flops(8, 8), 2.0 * 3 * 2 * 9 * 16 + 2.0 * 5 * 3 * 16);
  EXPECT_EQ(g.layer_count(), 2);
}

// Behind a dense layer there is no image any more.
TEST(Graph, RefusesImagesOfDenseLayers) {
  Graph g;
  const NodeId x = g.dense(g.input(1), "d", 8, 4);
  EXPECT_THROW(g.convolution(x, "c", 1, 3), Error);
  EXPECT_THROW(g.max_pool(x, {}), Error);
  EXPECT_THROW(g.upsample(x, 2), Error);
  EXPECT_THROW(g.add({"e", Dense{5, 1, 1}, {x}}), Error);                 // four channels
  EXPECT_THROW(g.add({"t", Convolution{1, 1, 3, true, 2}, {0}}), Error);  // transposed with a stride
  EXPECT_EQ(g.channels(g.dense(g.relu(x), "e", 1, 1)), 1);
}

TEST(Graph, RefusesToJoinImagesOfDifferentSizes) {
  Graph g;
  const NodeId x = g.input(1), down = g.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  EXPECT_THROW(g.concat({x, down}), Error);
  EXPECT_EQ(g.channels(g.concat({x, g.upsample(down, 2)})), 2);
}

// 16^16 pixels to one would not fit into any number.
TEST(Graph, RefusesToPoolWithoutEnd) {
  Graph g;
  g.input(1);
  const auto pool = [&] { g.max_pool(g.output(), {.kernel = 3, .stride = 16, .padding = 1}); };
  for (int i = 0; i < 3; ++i) pool();
  EXPECT_THROW(pool(), Error);
}

// A model file may come from anywhere.
TEST(Graph, RefusesUnsoundDescriptions) {
  const Json sound = to_json(ddnet({.growth = 2}));
  const auto damaged = [&](const std::function<void(Json&)>& damage) {
    Json json = sound;
    damage(json);
    return json;
  };
  EXPECT_THROW(graph_from_json(damaged([](Json& j) { j["nodes"][3]["inputs"] = {40}; })), Error);
  EXPECT_THROW(graph_from_json(damaged([](Json& j) { j["nodes"][3]["inputs"] = {-1}; })), Error);
  EXPECT_THROW(graph_from_json(damaged([](Json& j) { j["nodes"] = Json::array(); })), Error);
  EXPECT_THROW(graph_from_json(damaged([](Json& j) { j.erase("nodes"); })), Error);
  EXPECT_THROW(graph_from_json(Json("text")), Error);
  for (size_t i = 0; i < sound["nodes"].size(); ++i) {
    EXPECT_THROW(graph_from_json(damaged([i](Json& j) { j["nodes"][i]["op"] = "unheard-of"; })), Error) << i;
  }
}

}  // namespace
}  // namespace lucivox
