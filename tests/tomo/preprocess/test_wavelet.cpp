#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/tomo/preprocess/wavelet.h>

namespace lucivox {
namespace {

// An orthonormal transform: its transpose is its inverse, and energies add up. Also where the filter is
// longer than the image and meets itself.
TEST(Wavelet, ReconstructsExactly) {
  torch::manual_seed(1);
  for (const auto& [height, width] : {std::pair{2, 2}, {4, 10}, {6, 64}, {48, 30}}) {
    const at::Tensor image = torch::randn({height, width});
    const Bands bands = decompose(image);
    EXPECT_LT(relative_difference(recompose(bands), image), 1e-6) << height << " x " << width;
    double energy = 0;
    for (const at::Tensor& band : {bands.smooth, bands.vertical, bands.horizontal, bands.diagonal}) {
      EXPECT_EQ(band.sizes(), (at::IntArrayRef{height / 2, width / 2}));
      energy += band.square().sum().item<double>();
    }
    const double truth = image.square().sum().item<double>();
    EXPECT_NEAR(energy, truth, 1e-5 * truth);
  }
}

// db5 is the wavelet of ten taps with five vanishing moments: polynomials up to the fourth degree leave no
// details, those of the fifth do. The last four coefficients of a row look around its end.
TEST(Wavelet, HasFiveVanishingMoments) {
  const at::Tensor x = torch::linspace(-1, 1, 40);
  for (int64_t degree = 0; degree <= 5; ++degree) {
    const at::Tensor polynomial = x.pow(degree).expand({8, 40});
    const double detail = decompose(polynomial).vertical.narrow(1, 0, 16).abs().max().item<double>();
    if (degree < 5) {
      EXPECT_LT(detail, 1e-6) << degree;
    } else {
      EXPECT_GT(detail, 1e-5);
    }
  }
}

// What does not change along axis 0 has no high frequencies there.
TEST(Wavelet, KeepsStripesInTheVerticalBand) {
  at::Tensor stripe = torch::zeros({12, 20});
  stripe.select(1, 9).fill_(1);
  const Bands bands = decompose(stripe);
  EXPECT_GT(bands.vertical.abs().max().item<double>(), 0.1);
  EXPECT_LT(bands.horizontal.abs().max().item<double>(), 1e-6);
  EXPECT_LT(bands.diagonal.abs().max().item<double>(), 1e-6);
}

}  // namespace
}  // namespace lucivox
