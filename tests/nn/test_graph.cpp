#include <gtest/gtest.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/graph.h>

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
  const Graph graph = ddnet({.growth = 4});
  const Graph again = graph_from_json(to_json(graph));
  EXPECT_EQ(to_json(again), to_json(graph));
  EXPECT_EQ(again.parameter_count(), graph.parameter_count());
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
  EXPECT_EQ(g.size_multiple(), 4096);
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
