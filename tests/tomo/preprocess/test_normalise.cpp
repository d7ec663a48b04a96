#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <tests/tomo/preprocess/messages.h>
#include <torch/types.h>

#include <lucivox/tomo/preprocess/normalise.h>

namespace lucivox {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Counts that a detector of this gain and offset reads behind a known transmission.
TEST(Normalise, FindsTheTransmissionBehindGainAndOffset) {
  torch::manual_seed(1);
  const at::Tensor truth = torch::rand({3, 4, 5}), gain = 1000 + 500 * torch::rand({4, 5}),
                   offset = 10 + 100 * torch::rand({4, 5});
  // two fields each, above and below their mean by the same amount
  const at::Tensor darks = at::stack({offset + 3, offset - 3});
  const at::Tensor flats = at::stack({gain + offset + 7, gain + offset - 7});
  EXPECT_LT(largest_difference(normalise(gain * truth + offset, flats, darks), truth), 1e-6);
  EXPECT_LT(largest_difference(normalise(gain * truth, gain.unsqueeze(0), {}), truth), 1e-6);
  EXPECT_TRUE(at::equal(normalise(truth, {}, {}), truth));
}

TEST(Normalise, LeavesPixelsWithoutBeamOpen) {
  at::Tensor flats = torch::full({1, 2, 3}, 10.0F);
  flats[0][1][2] = 0;
  const at::Tensor transmission = normalise(torch::full({1, 2, 3}, 5.0F), flats, {});
  EXPECT_TRUE(at::equal(at::isnan(transmission), flats == 0));
  EXPECT_EQ(transmission[0][0][0].item<float>(), 0.5F);
}

TEST(Normalise, SaysWhatIsWrongWithTheScan) {
  const at::Tensor data = torch::ones({3, 4, 5}), flats = torch::ones({2, 4, 5}),
                   darks = torch::zeros({2, 4, 5});
  const auto refuses = [](const at::Tensor& d, const at::Tensor& f, const at::Tensor& k, const char* words) {
    const std::string message = message_of([&] { normalise(d, f, k); });
    EXPECT_TRUE(says(message, words)) << words << ": " << message;
  };
  at::Tensor broken = data.clone();
  broken[1][2][3] = kNaN;
  broken[2][0][0] = std::numeric_limits<float>::infinity();
  refuses(broken, flats, darks,
          "2 of 60 values of the projections are NaN or infinite, the first at [V, Z, U] = [1, 2, 3]");
  refuses(data, broken, darks, "2 of 60 values of the flat fields");
  refuses(data, flats, broken, "2 of 60 values of the dark fields");
  refuses(data - 2 * (data.cumsum(0) > 2).to(at::kFloat), flats, darks,
          "20 of 60 photon counts of the projections");
  refuses(data, 0 * flats, darks, "the flat fields are all zero");
  refuses(data, flats, darks + 1, "every pixel is dead");
  refuses(data, {}, darks, "dark fields without flat fields");
  refuses(data, torch::ones({2, 4, 6}), darks, "flat fields of 4 x 6");
  refuses(data, flats, torch::ones({2, 3, 5}), "dark fields of 3 x 5");
  refuses(data[0], flats, darks, "shape [4, 5]");
  refuses(torch::ones({0, 4, 5}), flats, darks, "shape [0, 4, 5]");
}

// A beam that falls to a third of its brightness from the middle to the rim, with every kind of dead pixel.
TEST(DeadPixels, AreFoundAndDustIsNot) {
  const at::Tensor falling = 1000 * (1 - torch::linspace(-0.8, 0.8, 64).square());
  at::Tensor flats = falling.expand({1, 40, 64}).clone(), expected = torch::zeros({40, 64}, at::kBool);
  const auto kill = [&](int64_t z, int64_t u, int64_t height, int64_t width, double response) {
    flats[0].narrow(0, z, height).narrow(1, u, width).mul_(response);
    expected.narrow(0, z, height).narrow(1, u, width).fill_(true);
  };
  kill(5, 7, 1, 1, 0);
  kill(20, 30, 3, 3, 0.1);
  kill(0, 50, 40, 1, 0.2);
  kill(33, 0, 1, 64, 0);
  flats[0].narrow(0, 10, 3).narrow(1, 20, 3).mul_(0.5);
  EXPECT_TRUE(at::equal(dead_pixels(flats, {}), expected));
}

// On values that are linear along U, linear interpolation is exact; ends copy their neighbour.
TEST(Repair, InterpolatesAlongColumns) {
  const at::Tensor truth = torch::arange(12, at::kFloat).expand({2, 3, 12}).contiguous();
  at::Tensor mask = torch::zeros({3, 12}, at::kBool), data = truth.clone();
  mask.select(1, 4).fill_(true);
  mask.select(1, 5).fill_(true);
  data.masked_fill_(mask, kNaN);
  EXPECT_LT(largest_difference(repair(data, mask), truth), 1e-5);

  at::Tensor ends = torch::zeros({3, 12}, at::kBool);
  ends[0][0] = ends[0][1] = ends[2][11] = true;
  const at::Tensor copied = repair(truth, ends);
  EXPECT_EQ(copied[1][0][0].item<float>(), 2);
  EXPECT_EQ(copied[1][0][1].item<float>(), 2);
  EXPECT_EQ(copied[1][2][11].item<float>(), 10);
}

// A dead row between good ones, of which one has a dead pixel itself: linear along Z and U, so exact.
TEST(Repair, InterpolatesWholeRowsAlongZ) {
  const at::Tensor truth = (torch::arange(6, at::kFloat).unsqueeze(1) * 10 + torch::arange(8, at::kFloat))
                               .unsqueeze(0)
                               .contiguous();
  at::Tensor mask = torch::zeros({6, 8}, at::kBool);
  mask[2].fill_(true);
  mask[3][4] = true;
  EXPECT_LT(largest_difference(repair(truth.masked_fill(mask, kNaN), mask), truth), 1e-5);
}

TEST(Repair, RefusesToInventAScan) {
  at::Tensor mask = torch::zeros({4, 8}, at::kBool);
  mask.narrow(1, 0, 2).fill_(true);
  EXPECT_NO_THROW(repair(torch::ones({1, 4, 8}), mask));
  mask[0][3] = true;
  EXPECT_TRUE(says(message_of([&] { repair(torch::ones({1, 4, 8}), mask); }), "28 % of the detector"));
  EXPECT_THROW(repair(torch::ones({1, 4, 9}), mask), Error);
  EXPECT_THROW(repair(torch::ones({1, 4, 8}), torch::zeros({4, 8})), Error);
}

// The inverse of Beer and Lambert's law, down to one count of a 16-bit camera.
TEST(MinusLog, IsTheLineIntegral) {
  const at::Tensor p = torch::linspace(-0.5, 10, 50);
  EXPECT_LT(largest_difference(minus_log(at::exp(-p)), p), 1e-5);
  const at::Tensor dark = minus_log(torch::tensor({0.0F, -0.1F, 1e-9F}));
  EXPECT_LT(largest_difference(dark, torch::full({3}, 16 * std::log(2.0))), 1e-5);
  EXPECT_EQ(minus_log(torch::zeros({1}), 1).item<float>(), 0);
  EXPECT_THROW(minus_log(p, 0), Error);
  EXPECT_THROW(minus_log(p, NAN), Error);
}

}  // namespace
}  // namespace lucivox
