// Short trainings of every network, and what they make of the pixels at the edge of a slice.
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <torch/torch.h>

#include <lucivox/infer/enhance.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/tomogan.h>
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

// A few hundred steps by the default recipe in everything but size and length.
Model trained(const Graph& graph, double learning_rate) {
  const at::Tensor low = chests().low_dose, full = chests().full_dose;
  const auto slices = paired_slices(
      {{[&] { return memory_source(low, {}, "low"); }, [&] { return memory_source(full, {}, "full"); }}});
  TrainOptions options;
  options.epochs = 12;
  options.crop = 64;
  options.learning_rate = learning_rate;
  Model model{Network(graph, 1), {}, "short", {}, "0", std::nullopt, reflected_border(options.margin)};
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", {});
  const auto task = supervised(*slices, nullptr, model.intensity, options, model.network, {true});
  train(model.network, *task, options, run, Start::Fresh, {true}, {});
  return model;
}

// The same network, zeros around what it reads.
Model without_margin_of(Model model) {
  model.border = {};
  return model;
}

class RightToTheBorder : public testing::TestWithParam<const char*> {
 protected:
  static Model& model() {
    static std::map<std::string, Model> models;
    const std::string name = GetParam();
    if (!models.contains(name))
      models.emplace(
          name, name == "ddnet" ? trained(ddnet({.growth = 8}), 2e-3) : trained(tomogan({.depth = 1}), 3e-4));
    return models.at(name);
  }
};

// A mirror of a constant is that constant: but by the zeros beyond the margin no pixel can tell where the
// edge is. Without a margin they are beside the outermost pixels.
TEST_P(RightToTheBorder, ConstantsStayEven) {
  const auto unevenness = [](Model by, double hu) {
    const at::Tensor enhanced = enhance_slice(by, torch::full({1, 80, 112}, hu));
    return (enhanced - enhanced[40][56]).abs().max().item<double>();
  };
  for (double hu = -1000; hu <= 1000; hu += 500)
    EXPECT_LT(unevenness(model(), hu), 0.2 * unevenness(without_margin_of(model()), hu)) << hu << " HU";
}

// What a crop lacks are its neighbours; their mirror images stand in for most of what they tell.
TEST_P(RightToTheBorder, CropsAreNearlyWhatTheyAreInTheirSlice) {
  for (const at::Tensor& slices : {chests().full_dose, chests().low_dose}) {
    // RMS over the outermost 8 pixels
    const auto difference = [&](Model by) {
      double squares = 0, pixels = 0;
      for (int64_t i = 0; i < 4; ++i) {
        const at::Tensor slice = slices[i].unsqueeze(0), whole = enhance_slice(model(), slice);
        const at::Tensor crop = enhance_slice(by, slice.narrow(1, 32, 64).narrow(2, 32, 64));
        const at::Tensor off = (crop - whole.narrow(0, 32, 64).narrow(1, 32, 64)).square();
        squares += off.sum().item<double>() - off.narrow(0, 8, 48).narrow(1, 8, 48).sum().item<double>();
        pixels += 64 * 64 - 48 * 48;
      }
      return std::sqrt(squares / pixels);
    };
    EXPECT_LT(difference(model()), 0.33 * difference(without_margin_of(model())));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, RightToTheBorder, testing::Values("ddnet", "tomogan"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace lucivox
