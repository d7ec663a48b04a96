#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/infer/memory_sink.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/infer/engine.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/msdnet.h>

namespace lucivox {
namespace {

Reporter& kQuiet = silence();

// A network that gives its input back: one convolution of weight 1.
Model identity_model() {
  Graph g;
  g.convolution(g.input(1), "one", 1, 1);
  Model model{Weights(g, 0), {}, "identity", {}, "0"};
  const torch::NoGradGuard no_grad;
  model.weights.weight("one.weight").fill_(1);
  return model;
}

TEST(Enhance, MapsToTheNetworkAndBack) {
  Model model = identity_model();
  for (const IntensityMapping::Kind kind :
       {IntensityMapping::Kind::Window, IntensityMapping::Kind::SliceMinMax}) {
    model.intensity.kind = kind;
    const at::Tensor hu = torch::randn({1, 17, 31}) * 500;
    // float32 of a range of 2048 HU keeps about 1e-4 HU
    EXPECT_LT((enhance_slice(model, hu) - hu[0]).abs().max().item<double>(), 1e-3);
  }
}

TEST(Engine, TakesSlicesOfAnySize) {
  Engine engine(Weights(ddnet({.growth = 2}), 1));
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {16, 16}, {17, 33}, {30, 7}}) {
    const at::Tensor out = engine.run(torch::rand({1, rows, columns}));
    EXPECT_EQ(out.sizes(), (at::IntArrayRef{rows, columns}));
    EXPECT_TRUE(at::isfinite(out).all().item<bool>());
  }
}

// What needs no padding must not depend on there being any.
TEST(Engine, EqualsTheNetworkWhereNoPaddingIsNeeded) {
  Network network(ddnet({.growth = 2}), 1);
  const at::Tensor x = torch::rand({1, 32, 48});
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(Engine(network.weights()).run(x),
                        network.forward(x.view({1, 1, 32, 48}), Mode::Evaluation).view({32, 48})));
}

// A model of adjacent slices, here their weighted mean, reads the outermost one again at the ends.
TEST(Enhance, ReadsAdjacentSlices) {
  Graph graph;
  graph.convolution(graph.input(3), "mean", 1, 1);
  Model model{Weights(graph, 1), {}, "m", {}, "0"};
  {
    const torch::NoGradGuard no_grad;
    model.weights.weight("mean.weight").copy_(torch::tensor({0.25, 0.5, 0.25}).view({1, 3, 1, 1}));
  }
  const at::Tensor volume = torch::randn({4, 6, 5}) * 300;
  const auto source = memory_source(volume);
  MemorySink sink({4, 6, 5});
  enhance(model, *source, sink, kQuiet, {});
  const at::Tensor padded = torch::cat({volume.narrow(0, 0, 1), volume, volume.narrow(0, 3, 1)});
  const at::Tensor expected = padded.narrow(0, 0, 4) / 4 + volume / 2 + padded.narrow(0, 2, 4) / 4;
  EXPECT_LT((sink.values - expected).abs().max().item<double>(), 1e-2);  // float32 of a range of 3072
}

TEST(Enhance, LeavesPaddingAsItWas) {
  Model model{Weights(ddnet({.growth = 2}), 1), {}, "m", {}, "0"};
  at::Tensor volume = torch::randn({2, 20, 20}) * 300;
  volume.narrow(2, 0, 3).fill_(-2048);
  ImageInfo info;
  info.padding = -2048;
  const auto source = memory_source(volume, info);
  MemorySink sink({2, 20, 20});
  enhance(model, *source, sink, kQuiet, {});
  EXPECT_EQ((sink.values.narrow(2, 0, 3) + 2048).abs().max().item<double>(), 0);
  EXPECT_GT(sink.values.narrow(2, 3, 17).min().item<double>(), -2048);
  // -2048 must not leak into its neighbours: it counts as air, whatever number marks it
  at::Tensor other = volume.clone();
  other.narrow(2, 0, 3).fill_(-3000);
  info.padding = -3000;
  const auto other_source = memory_source(other, info);
  MemorySink other_sink({2, 20, 20});
  enhance(model, *other_source, other_sink, kQuiet, {});
  EXPECT_TRUE(at::equal(other_sink.values.narrow(2, 3, 17), sink.values.narrow(2, 3, 17)));
}

TEST(Enhance, RefusesNan) {
  Model model = identity_model();
  at::Tensor volume = torch::zeros({1, 16, 16});
  volume[0][3][4] = NAN;
  const auto source = memory_source(volume);
  MemorySink sink({1, 16, 16});
  EXPECT_THROW(enhance(model, *source, sink, kQuiet, {}), Error);
}

// Networks that segment, or read volumes.
TEST(Engine, RefusesWhatMakesNoSliceOfASlice) {
  for (const MsdnetOptions& options :
       {MsdnetOptions{.dimensions = 3, .classes = 0, .depth = 2},
        MsdnetOptions{.dimensions = 2, .channels = 2, .classes = 0, .depth = 2},
        MsdnetOptions{.dimensions = 2, .classes = 2, .depth = 2}})
    EXPECT_THROW(Engine(Weights(msdnet(options), 1)), Error);
  EXPECT_NO_THROW(Engine(Weights(msdnet({.dimensions = 2, .classes = 0, .depth = 2}), 1)));
}

}  // namespace
}  // namespace lucivox
