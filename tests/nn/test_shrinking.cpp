#include <functional>

#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/shrinking.h>

namespace lucivox {
namespace {

// a (3 filters) and t (2, transposed) are joined, normalised and read by b.
Graph joined_graph() {
  Graph g;
  const NodeId x = g.input(1);
  const NodeId both = g.concat({g.convolution(x, "a", 3, 3), g.transposed_convolution(x, "t", 2, 1)});
  g.convolution(g.batch_norm(both, "norm"), "b", 2, 1);
  return g;
}

// Filter 1 of a and filter 0 of t are gone.
Shrinking two_removed() {
  return shrinking_of(joined_graph(), {{"a", {0, 2}}, {"t", {1}}});
}

at::Tensor named(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  return {};
}

// Channels 1 and 3 of the five that are joined.
TEST(Shrinking, FollowsConcatenations) {
  const Shrinking shrinking = two_removed();
  EXPECT_EQ(shrinking.kept[3], (std::vector<int64_t>{0, 2, 4}));
  const Graph smaller = shrunk_graph(shrinking);
  EXPECT_EQ(smaller.channels(3), 3);
  EXPECT_EQ(smaller.parameter_count(), 2 * 10 + 1 * 2 + 2 * 3 + 2 * 4);
  EXPECT_EQ(smaller.node(smaller.output()).name, "b");
}

TEST(Shrinking, CutsWeightsWhereTheyStand) {
  on_every_device([](c10::Device device) {
    const at::Tensor b = torch::arange(10.0, device).view({2, 5, 1, 1}),
                     t = torch::arange(2.0, device).view({1, 2, 1, 1});
    const NamedTensors cut = shrink(two_removed(), {{"b.weight", b}, {"t.weight", t}});
    EXPECT_TRUE(at::equal(named(cut, "b.weight").flatten().cpu(),
                          torch::tensor({0.0F, 2.0F, 4.0F, 5.0F, 7.0F, 9.0F})));
    EXPECT_TRUE(at::equal(named(cut, "t.weight").flatten().cpu(), torch::tensor({1.0F})))
        << "transposed: [in, out]";
  });
}

TEST(Shrinking, PutsWeightsBackWithZerosBetween) {
  on_every_device([](c10::Device device) {
    const at::Tensor sevens = torch::full({3}, 7.0, device);
    const NamedTensors whole = expand(two_removed(), {{"b.weight", torch::ones({2, 3, 1, 1}, device)},
                                                      {"norm.running_mean", sevens},
                                                      {"norm.running_var", sevens}});
    const auto is = [&](const at::Tensor& weight, const std::vector<float>& expected) {
      return at::equal(weight.cpu(), torch::tensor(expected));
    };
    EXPECT_TRUE(is(named(whole, "b.weight")[1].flatten(), {1, 0, 1, 0, 1}));
    EXPECT_TRUE(is(named(whole, "norm.running_mean"), {7, 0, 7, 0, 7}));
    EXPECT_TRUE(is(named(whole, "norm.running_var"), {7, 1, 7, 1, 7}));
  });
}

// What is cut, put back and cut again is the same, for any choice of tensors: an optimiser's moments, masks.
TEST(Shrinking, ExpandingLosesNothing) {
  const Shrinking shrinking = two_removed();
  on_every_device([&](c10::Device device) {
    Weights smaller(shrunk_graph(shrinking), 3);
    smaller.to(device);
    for (const auto& [name, tensor] : shrink(shrinking, expand(shrinking, smaller.state())))
      EXPECT_TRUE(at::equal(tensor, smaller.weight(name))) << name;
  });
}

TEST(Shrinking, RefusesTensorsOfAnotherNetwork) {
  EXPECT_THROW(shrink(two_removed(), {{"c.weight", torch::ones({1})}}), Error);
  EXPECT_THROW(shrink(two_removed(), {{"b.weight", torch::ones({2, 3, 1, 1})}}), Error) << "shrunk already";
  EXPECT_THROW(expand(two_removed(), {{"b.weight", torch::ones({2, 5, 1, 1})}}), Error) << "dense already";
}

TEST(Shrinking, RefusesFiltersThatAreNone) {
  using Kept = std::vector<int64_t>;
  for (const Kept& kept : {Kept{}, Kept{3}, Kept{-1}, Kept{1, 1}, Kept{2, 0}, Kept{0, 1, 2, 3}})
    EXPECT_THROW(shrinking_of(joined_graph(), {{"a", kept}}), Error);
  EXPECT_THROW(shrinking_of(joined_graph(), {{"norm", {0}}}), Error) << "no convolution";
  EXPECT_THROW(shrinking_of(joined_graph(), {{"b", {0}}}), Error) << "the network's output";
}

TEST(Shrinking, SurvivesItsDescription) {
  const Shrinking shrinking = two_removed();
  const Shrinking again = shrinking_from_json(to_json(shrinking));
  EXPECT_EQ(again.kept, shrinking.kept);
  EXPECT_EQ(to_json(again.dense), to_json(shrinking.dense));
}

// A model file may come from anywhere.
TEST(Shrinking, RefusesUnsoundDescriptions) {
  const std::vector<std::function<void(Json&)>> damages{
      [](Json& j) { j = "text"; },
      [](Json& j) { j.erase("dense"); },
      [](Json& j) {
        j["filters"] = {1, 2};
      },
      [](Json& j) { j["filters"]["a"] = "0"; },
      [](Json& j) {
        j["filters"]["a"] = {0, 1.5};
      },
      [](Json& j) {
        j["filters"]["a"] = {0, 99};
      },
      [](Json& j) { j["filters"]["none"] = {0}; },
      [](Json& j) { j["more"] = 1; },
      [](Json& j) {  // 65536 * 65536 weights
        j["dense"]["nodes"][0]["channels"] = j["dense"]["nodes"][1]["in"] = j["dense"]["nodes"][2]["in"] =
            65536;
        j["dense"]["nodes"][1]["out"] = 65533;
        j["dense"]["nodes"][4]["channels"] = j["dense"]["nodes"][5]["in"] = 65535;
      }};
  for (size_t i = 0; i < damages.size(); ++i) {
    Json json = to_json(two_removed());
    damages[i](json);
    EXPECT_THROW(shrinking_from_json(json), Error) << i;
  }
}

TEST(Model, TellsWhatWasRemoved) {
  const TemporaryFolder folder;
  const Shrinking removed = two_removed();
  const Model model{Weights(shrunk_graph(removed), 1), {}, "m", {}, "0", removed};
  save_model(folder / "m.safetensors", model);
  const Model read = load_model(folder / "m.safetensors");
  ASSERT_TRUE(read.removed.has_value());
  EXPECT_EQ(to_json(*read.removed), to_json(removed));
}

TEST(Model, RefusesWhatWasRemovedFromAnotherNetwork) {
  const TemporaryFolder folder;
  const Model model{Weights(joined_graph(), 1), {}, "m", {}, "0", two_removed()};
  save_model(folder / "m.safetensors", model);
  EXPECT_THROW(load_model(folder / "m.safetensors"), Error);
}

}  // namespace
}  // namespace lucivox
