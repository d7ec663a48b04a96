#include <cmath>

#include <gtest/gtest.h>
#include <tests/tomo/preprocess/ellipses.h>
#include <tests/tomo/preprocess/messages.h>
#include <torch/types.h>

#include <lucivox/tomo/geometry.h>
#include <lucivox/tomo/preprocess/rings.h>

namespace lucivox {
namespace {

at::Tensor sinogram() {
  return ellipse_sinogram(body(2.5), half_turn(180), 400, 199.5).unsqueeze(0);
}

double rms(const at::Tensor& values) {
  return values.square().mean().sqrt().item<double>();
}

// Stripes without correlation have the same energy in every wavelet coefficient. One in 2^levels of
// these is no detail, and remains.
TEST(WaveletFourierFilter, LeavesOfStripesWhatIsWiderThanItsLevels) {
  torch::manual_seed(1);
  const at::Tensor truth = sinogram(), stripes = (0.05 * torch::randn({1, 1, 400})).expand_as(truth);
  for (const int64_t levels : {2, 4}) {
    const WaveletFourier options{.levels = levels};
    const at::Tensor left = remove_stripes_wavelet_fourier(truth + stripes, options) -
                            remove_stripes_wavelet_fourier(truth, options);
    EXPECT_NEAR(rms(left) / rms(stripes), std::pow(2, -0.5 * static_cast<double>(levels)), 0.06) << levels;
  }
}

// The price: what is narrow in the object's mean over all views, its rim above all, goes as well.
TEST(WaveletFourierFilter, HarmsACleanSinogramLittle) {
  const at::Tensor truth = sinogram();
  EXPECT_LT(rms(remove_stripes_wavelet_fourier(truth) - truth), 0.02 * rms(truth));
}

// At f = 6 cycles over the views a stripe is damped by 1 - exp(-f^2 / (2 sigma^2)): 0.39 for sigma = 6,
// nothing for sigma = 1. With one level, half of the energy of white columns is detail.
TEST(WaveletFourierFilter, DampsByTheFrequencyAlongTheViews) {
  torch::manual_seed(2);
  const at::Tensor views = (torch::arange(96) + 0.5) / 96;
  const at::Tensor wave = at::cos(views * (2 * M_PI * 6)).unsqueeze(1);
  const at::Tensor changing = (wave * torch::randn({1, 400})).unsqueeze(0).to(at::kFloat);
  const auto left = [&](double sigma) {
    return rms(remove_stripes_wavelet_fourier(changing, {.levels = 1, .sigma = sigma})) / rms(changing);
  };
  const double gain = 1 - std::exp(-0.5);
  EXPECT_NEAR(left(6), std::sqrt((1 + gain * gain) / 2), 0.04);
  EXPECT_NEAR(left(1), 1, 0.005);
}

// Columns that hold the same values in other orders have the same sorted column: the median finds it beside
// any narrow stripe, and every value returns to its view.
TEST(SortingFilter, IsExactWhereColumnsAreAlikeWhenSorted) {
  torch::manual_seed(3);
  const at::Tensor values = torch::rand({60});
  at::Tensor truth = torch::empty({2, 60, 40});
  for (int64_t u = 0; u < 40; ++u) {
    truth[0].select(1, u).copy_(values.roll(7 * u));
    truth[1].select(1, u).copy_(values.index_select(0, torch::randperm(60)));
  }
  at::Tensor striped = truth.clone();
  for (const int64_t u : {0, 13, 14, 15, 39}) striped.select(2, u).mul_(1.3).add_(0.2);
  EXPECT_TRUE(at::equal(remove_stripes_sorting(striped, 9), truth));
}

// Beside that, the median errs by what sorted columns differ from their neighbours: most at the object's rim.
TEST(SortingFilter, TakesStripesOut) {
  const at::Tensor truth = sinogram(), unharmed = remove_stripes_sorting(truth, 9);
  at::Tensor striped = truth.clone();
  for (const int64_t u : {100, 160, 161, 228, 280}) striped.select(2, u).add_(u % 2 == 0 ? 0.1 : -0.1);
  const at::Tensor cleaned = remove_stripes_sorting(striped, 9);
  EXPECT_LT((cleaned - truth).mean(1).slice(1, 95, 290).abs().max().item<double>(), 0.03);
  EXPECT_LT(rms(unharmed - truth), 0.007 * rms(truth));
}

TEST(StripeFilters, RefuseWhatDoesNotFit) {
  const at::Tensor sino = torch::ones({1, 20, 30});
  EXPECT_THROW(remove_stripes_wavelet_fourier(sino[0]), Error);
  EXPECT_THROW(remove_stripes_wavelet_fourier(sino, {.levels = 0}), Error);
  EXPECT_THROW(remove_stripes_wavelet_fourier(sino, {.levels = 5}), Error);
  EXPECT_THROW(remove_stripes_wavelet_fourier(sino, {.sigma = 0}), Error);
  EXPECT_THROW(remove_stripes_wavelet_fourier(sino, {.sigma = NAN}), Error);
  EXPECT_THROW(remove_stripes_sorting(sino[0]), Error);
  EXPECT_THROW(remove_stripes_sorting(sino, 8), Error);
  EXPECT_TRUE(
      says(message_of([&] { remove_stripes_sorting(sino / 0); }), "600 of 600 values of the sinograms"));
  EXPECT_TRUE(says(message_of([&] { remove_stripes_wavelet_fourier(sino / 0); }), "600 of 600 values"));
}

}  // namespace
}  // namespace lucivox
