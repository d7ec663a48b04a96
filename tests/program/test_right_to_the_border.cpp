// Short trainings of every network, and what they make of the pixels at the edge of a slice.
#include <cmath>

#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/infer/enhance.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/tomo/simulate_ct.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/trainer.h>

namespace lucivox {
namespace {

constexpr int64_t kSlices = 24, kSide = 128;

const CtPairs& chests() {
  static const CtPairs pairs = simulate_ct({.slices = kSlices, .size = kSide, .seed = 5}, 0, kSlices);
  return pairs;
}

// One or two thousand steps by the default recipe in everything but size, length and rate: at DDNet's 2e-3 so
// few steps leave up to 4.6 HU (three seeds), at half of it up to 0.6 (four).
Model trained(const Graph& graph, double learning_rate, int64_t epochs) {
  const at::Tensor low = chests().low_dose, full = chests().full_dose;
  const auto slices = paired_slices(
      {{[&] { return memory_source(low, {}, "low"); }, [&] { return memory_source(full, {}, "full"); }}});
  SupervisedOptions options;
  options.epochs = epochs;
  options.crop = 64;
  options.learning_rate = learning_rate;
  Model model{Weights(graph, 1), {}, "short", {}, "0", std::nullopt, border_in_use(options.margin)};
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", {});
  Network network(model.weights.share());
  const auto task = supervised(*slices, nullptr, model.intensity, options, network, silence());
  train(network, *task, options, run, Start::Fresh, silence(), {});
  return model;
}

// The same network, zeros around what it reads.
Model without_margin_of(const Model& model) {
  return {model.weights.share(), model.intensity, model.name, {}, model.version};
}

// How far any pixel of an image of one value is from its centre. A mirror of a constant is that constant: but
// by the zeros beyond the margin no pixel can tell where the edge is. Without a margin they are beside the
// outermost pixels.
double unevenness(const Model& model, double hu) {
  const at::Tensor enhanced = enhance_slice(model, torch::full({1, 80, 112}, hu));
  return (enhanced - enhanced[40][56]).abs().max().item<double>();
}

// RMS difference, over the outermost 8 pixels, of the middle of slices by `model` and in the whole slices by
// `whole`. What a crop lacks are its neighbours; their mirror images stand in for most of what they tell.
double crops_difference(const Model& model, const Model& whole, const at::Tensor& slices) {
  double squares = 0, pixels = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const at::Tensor slice = slices[i].unsqueeze(0);
    const at::Tensor crop = enhance_slice(model, slice.narrow(1, 32, 64).narrow(2, 32, 64));
    const at::Tensor part = enhance_slice(whole, slice).narrow(0, 32, 64).narrow(1, 32, 64);
    const at::Tensor off = (crop - part).square();
    squares += off.sum().item<double>() - off.narrow(0, 8, 48).narrow(1, 8, 48).sum().item<double>();
    pixels += 64 * 64 - 48 * 48;
  }
  return std::sqrt(squares / pixels);
}

void expect_right_to_the_border(const Model& model) {
  const Model without = without_margin_of(model);
  for (double hu = -1000; hu <= 1000; hu += 250) {
    EXPECT_LT(unevenness(model, hu), 5) << hu << " HU";
    EXPECT_GT(unevenness(without, hu), 5) << hu << " HU: the margin makes no difference";
  }
  for (const at::Tensor& slices : {chests().full_dose, chests().low_dose})
    EXPECT_LT(crops_difference(model, model, slices), 0.2 * crops_difference(without, model, slices));
}

TEST(RightToTheBorder, Ddnet) {
  expect_right_to_the_border(trained(ddnet({.growth = 8}), 1e-3, 96));
}

TEST(RightToTheBorder, Tomogan) {
  expect_right_to_the_border(trained(tomogan({.depth = 1}), 3e-4, 30));
}

}  // namespace
}  // namespace lucivox
